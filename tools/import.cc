// esctl import: JSON lines into a store, each exactly once.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "esdb/limits.h"
#include "tools/commands.h"
#include "tools/import_groups.h"
#include "tools/line_reader.h"
#include "tools/pipeline.h"
#include "tools/progress.h"
#include "tools/table.h"
#include "tools/times.h"
#include "tools/values.h"

namespace esdb::tools {
namespace {

struct ImportArguments {
  std::string file{}, source{}, commit_by{};
  std::optional<std::uint64_t> commit_size{};
  bool continue_on_error = false;
};

constexpr const char* kExamples =
    "  esctl import events.ndjson.zst --commit-by correlationId\n"
    "  esctl import events.ndjson --store ./data --commit-size 100\n"
    "  zcat old.ndjson.gz | esctl import - --source old-system\n"
    "  esctl import events.ndjson --continue-on-error --json\n\n"
    "A line is what `esctl export` writes; only \"stream\" and \"type\" are needed. The store "
    "keeps\n"
    "how far each source has come: the same command again goes on where it stood, and adds "
    "nothing\n"
    "when all is there. A bad line ends the import: the append it belongs to and what follows is "
    "not\n"
    "written: mend it, and the same command goes on. With --continue-on-error only that append "
    "is\n"
    "left out, and every line of it is told. What is behind it is taken in, so the source has "
    "gone\n"
    "past its lines and does not read them again: mended, they are imported from a file of their "
    "own,\n"
    "which is another --source.";

// Ids of lines that give none are made of the source and the line, so that whoever imports that
// line again means the same event.
class LineIds {
 public:
  explicit LineIds(std::string_view source) {
    for (const char byte : source)
      source_ = EventId::derive(source_, static_cast<unsigned char>(byte));
  }
  EventId of(std::uint64_t line) const { return EventId::derive(source_, line); }

 private:
  EventId source_{};
};

class Import {
 public:
  Import(EventStore& store, const ImportArguments& arguments, std::string source,
         const Invocation& invocation);
  // `bytes`: of the input, where they are known.
  Result<ExitCode> run(std::istream& input, std::optional<std::uint64_t> bytes);

 private:
  Result<void> read_lines(LineReader& lines, std::uint64_t done, Groups& groups);
  Result<void> read_line(LineReader& lines, LineReader::Status status, Groups& groups);
  Result<void> take_spoiled(const SpoiledGroup& group);
  bool leave_out(const Unit& unit, const Error& error);
  BadLine locate(const Unit& unit, const Error& error) const;
  void tell_left_out(const SpoiledGroup& group);
  std::string at(std::uint64_t line) const {
    return fmt::format("{}:{}", arguments_.file == "-" ? "standard input" : arguments_.file, line);
  }
  Error explained(Error error) const;
  ExitCode summarize(std::uint64_t resumed_after) const;

  const ImportArguments& arguments_;
  const Invocation& invocation_;
  std::string source_;
  LineIds ids_;
  JsonLineReader reader_;
  JsonLineReader::Line line_{};
  Progress progress_;
  std::optional<std::uint64_t> bytes_{};
  std::uint64_t left_out_ = 0, left_out_lines_ = 0, left_out_to_ = 0;
  std::optional<Error> refusal_{};  // of the store, with the line it is about
  Pipeline pipeline_;
};

Import::Import(EventStore& store, const ImportArguments& arguments, std::string source,
               const Invocation& invocation)
    : arguments_(arguments),
      invocation_(invocation),
      source_(std::move(source)),
      ids_(source_),
      reader_(arguments.commit_by),
      progress_(invocation.err(), invocation.json() ? Terminal{} : invocation.around.terminal),
      pipeline_(store, {.source = source_,
                        .timeout = invocation.global.timeout_parsed,
                        .stop = invocation.around.stop,
                        .leave_out = [this](const Unit& unit, const Error& error) {
                          return leave_out(unit, error);
                        }}) {}

Result<ExitCode> Import::run(std::istream& input, std::optional<std::uint64_t> bytes) {
  bytes_ = bytes;
  const auto done = pipeline_.begin();
  if (!done) return std::unexpected(done.error());
  if (*done != 0 && !invocation_.json())
    invocation_.err() << fmt::format("{} was taken in up to line {}; going on behind it\n",
                                     printable(source_), *done)
                      << std::flush;
  LineReader lines(input);
  Groups groups(
      {.by_key = !arguments_.commit_by.empty(),
       .lines = arguments_.commit_size.value_or(Grouping{}.lines)},
      [this](Unit unit) { return pipeline_.push(std::move(unit)); },
      [this](const SpoiledGroup& group) { return take_spoiled(group); });
  auto read = read_lines(lines, *done, groups);
  // What was pushed before an error is still written: all of it comes before the line at fault.
  auto written = pipeline_.finish();
  // Left out at the end, nothing that is written goes past it.
  if (read && written && left_out_to_ > pipeline_.totals().tracked_to)
    written = pipeline_.close_at(left_out_to_);
  progress_.clear();
  if (!read) return std::unexpected(explained(read.error()));
  if (!written) return std::unexpected(explained(written.error()));
  return summarize(*done);
}

Result<void> Import::read_lines(LineReader& lines, std::uint64_t done, Groups& groups) {
  for (;;) {
    const auto status = lines.next();
    if (!status)
      return failed(fmt::format("{}: {}", at(lines.number() + 1), status.error().message));
    if (*status == LineReader::Status::kEnd) return groups.finish();
    if (invocation_.around.stop.stop_requested())
      return std::unexpected(Error{.code = ErrorCode::kCancelled, .message = "interrupted"});
    if (lines.number() <= done) continue;
    if (auto read = read_line(lines, *status, groups); !read) return read;
    Progress::Done shown{.events = pipeline_.totals().events};
    if (bytes_ && *bytes_ != 0)
      shown.share = static_cast<double>(lines.bytes_read()) / static_cast<double>(*bytes_);
    progress_.show(shown);
  }
}

Result<void> Import::read_line(LineReader& lines, LineReader::Status status, Groups& groups) {
  const auto number = lines.number();
  const auto bad = [&](std::string reason, const JsonLineReader::Line* line) {
    auto added = groups.add_bad({number, std::move(reason)}, line);
    return added && !arguments_.continue_on_error ? groups.finish() : added;
  };
  if (status == LineReader::Status::kTooLong)
    return bad(
        fmt::format("the line is longer than {} MiB: no event is that large", kLineBytesMax >> 20),
        nullptr);
  if (lines.line().find_first_not_of(" \t\r") == std::string_view::npos) return {};
  if (auto read = reader_.read(lines.line(), line_); !read)
    return bad(read.error().message, &line_);
  if (!line_.has_id) line_.event.id = ids_.of(number);
  return groups.add(number, line_);
}

Result<void> Import::take_spoiled(const SpoiledGroup& group) {
  if (arguments_.continue_on_error) {
    tell_left_out(group);
    return {};
  }
  return std::unexpected(Error{
      .code = ErrorCode::kInvalidArgument,
      .message = fmt::format("{}: {}", at(group.bad.front().number), group.bad.front().reason)});
}

void Import::tell_left_out(const SpoiledGroup& group) {
  ++left_out_;
  left_out_lines_ += group.lines;
  left_out_to_ = group.last_line;
  progress_.clear();
  const auto& first = group.bad.front();
  if (invocation_.json()) {
    nlohmann::ordered_json left_out{
        {"file", arguments_.file}, {"first_line", group.first_line}, {"last_line", group.last_line},
        {"lines", group.lines},    {"line", first.number},           {"reason", first.reason}};
    for (std::size_t i = 1; i < group.bad.size(); ++i)
      left_out["more"].push_back({{"line", group.bad[i].number}, {"reason", group.bad[i].reason}});
    const nlohmann::ordered_json line{{"left_out", std::move(left_out)}};
    invocation_.out() << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                      << '\n';
    return;
  }
  const auto tell = [this](const BadLine& bad, const std::string& which) {
    invocation_.err() << printable(fmt::format("{}: {} ({})", at(bad.number), bad.reason, which))
                      << '\n';
  };
  tell(first, group.first_line == group.last_line
                  ? std::string("left out")
                  : fmt::format("lines {} to {} left out", group.first_line, group.last_line));
  for (std::size_t i = 1; i < group.bad.size(); ++i)
    tell(group.bad[i], fmt::format("left out with line {}", first.number));
}

// The line that `error` is about, as well as that can be told.
BadLine Import::locate(const Unit& unit, const Error& error) const {
  for (std::size_t i = 0; i < unit.events.size(); ++i) {
    const auto alone = EncodedAppend::encode({.events = {unit.events[i]}});
    if (!alone) return {unit.places[i], alone.error().message};
    const auto& id = unit.events[i].id;
    if (error.message.find(to_string(id)) == error.message.npos) continue;
    // Twice in one append, it is the later line that should not be there.
    const auto again = std::find_if(unit.events.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                    unit.events.end(), [&id](const auto& e) { return e.id == id; });
    const auto at =
        again == unit.events.end() ? i : static_cast<std::size_t>(again - unit.events.begin());
    return {unit.places[at], error.message};
  }
  if (unit.places.size() == 1) return {unit.places.front(), error.message};
  return {unit.places.front(),
          fmt::format("{} (one append: lines {} to {}, {} events)", error.message,
                      unit.places.front(), unit.tracked_to, unit.events.size())};
}

bool Import::leave_out(const Unit& unit, const Error& error) {
  const auto bad = locate(unit, error);
  if (arguments_.continue_on_error) {
    tell_left_out({.first_line = unit.places.front(),
                   .last_line = unit.tracked_to,
                   .lines = unit.places.size(),
                   .bad = {bad}});
    return true;
  }
  refusal_ = error;
  refusal_->message = fmt::format("{}: {}", at(bad.number), bad.reason);
  return false;
}

// The error, with what holds now.
Error Import::explained(Error error) const {
  if (refusal_) error = *refusal_;
  const auto to = pipeline_.totals().tracked_to;
  if (to == 0) {
    error.message += "; nothing was written";
  } else {
    error.message += fmt::format(
        "; written up to line {}, and nothing behind it. The same command "
        "again goes on there",
        to);
  }
  return error;
}

ExitCode Import::summarize(std::uint64_t resumed_after) const {
  const auto& totals = pipeline_.totals();
  const auto seconds = std::chrono::duration<double>(progress_.elapsed()).count();
  if (invocation_.json()) {
    const nlohmann::ordered_json line{{"source", source_},
                                      {"events", totals.events},
                                      {"appends", totals.appends},
                                      {"repeated", totals.repeated},
                                      {"left_out", left_out_},
                                      {"left_out_lines", left_out_lines_},
                                      {"resumed_after", resumed_after},
                                      {"tracked_to", totals.tracked_to},
                                      {"seconds", seconds}};
    invocation_.out() << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                      << std::endl;
  } else {
    if (totals.appends != 0) {
      invocation_.out() << fmt::format(
          "{} events in {} appends, {} ({} events/s)\n", grouped(totals.events),
          grouped(totals.appends), format_duration(progress_.elapsed()),
          grouped(static_cast<std::uint64_t>(static_cast<double>(totals.events) / seconds)));
    } else {
      invocation_.out() << (left_out_ == 0 ? "nothing new\n" : "nothing was written\n");
    }
    invocation_.out() << told_repeated(totals);
    if (left_out_ != 0)
      invocation_.out() << fmt::format(
          "{} appends left out, {} lines: mended, they go into a file of their own (another "
          "--source)\n",
          grouped(left_out_), grouped(left_out_lines_));
    invocation_.out() << std::flush;
  }
  return left_out_ == 0 ? ExitCode::kOk : ExitCode::kError;
}

// --source, else the file's absolute path; what is no file has no name that means the same
// tomorrow.
Result<std::string> source_of(const ImportArguments& arguments) {
  auto source = arguments.source;
  if (source.empty()) {
    std::error_code missing;
    const auto status = std::filesystem::status(arguments.file, missing);
    if (arguments.file == "-" || (exists(status) && !is_regular_file(status)))
      return usage(
          fmt::format("{} is no file that can be recognised when it comes again: name it "
                      "with --source",
                      arguments.file == "-" ? "standard input" : arguments.file));
    std::error_code homeless;  // this directory is gone
    source = std::filesystem::absolute(arguments.file, homeless).lexically_normal().string();
    if (homeless)
      return failed(fmt::format("cannot tell the absolute path of {}: {}", arguments.file,
                                homeless.message()));
  }
  if (source.size() > kSourceBytesMax)
    return usage(
        fmt::format("the source's name has {} bytes, {} at most: give a shorter one with "
                    "--source",
                    source.size(), kSourceBytesMax));
  return source;
}

Result<ExitCode> import(const ImportArguments& arguments, const Invocation& invocation) {
  if (arguments.commit_size == 0u) return usage("--commit-size: at least 1");
  const auto source = source_of(arguments);
  if (!source) return std::unexpected(source.error());
  std::ifstream file;
  std::vector<char> buffer(std::size_t{256} << 10);
  std::optional<std::uint64_t> bytes;
  if (arguments.file != "-") {
    file.rdbuf()->pubsetbuf(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    file.open(arguments.file, std::ios::binary);
    if (!file)
      return failed(fmt::format("cannot read {}: {}", arguments.file, std::strerror(errno)));
    std::error_code unknown;
    const auto size = std::filesystem::file_size(arguments.file, unknown);
    if (!unknown) bytes = size;
  }
  const auto store = invocation.open(Purpose::kWrite);
  if (!store) return std::unexpected(store.error());
  Import importing(**store, arguments, *source, invocation);
  return importing.run(arguments.file == "-" ? invocation.around.in : file, bytes);
}

}  // namespace

void add_import(Commands& commands) {
  const auto arguments = std::make_shared<ImportArguments>();
  auto& command = commands.add(
      {.name = "import", .about = "Append the events of a JSON lines file", .examples = kExamples},
      [arguments](const Invocation& invocation) { return import(*arguments, invocation); });
  command
      .add_option("FILE", arguments->file,
                  "JSON lines, also compressed with zstd; - for standard input")
      ->required();
  command
      .add_option("--source", arguments->source,
                  "The name under which the store keeps how far it has come; the file's absolute "
                  "path without it")
      ->type_name("NAME");
  auto* by = command
                 .add_option("--commit-by", arguments->commit_by,
                             "Consecutive lines with the same value of this key (of the line, its "
                             "metadata or its data) are one append")
                 ->type_name("KEY");
  add_number(command, "--commit-size", arguments->commit_size, "So many lines are one append")
      .default_str(std::to_string(Grouping{}.lines))
      ->excludes(by);
  command.add_flag("--continue-on-error", arguments->continue_on_error,
                   "Leave out only the appends with bad lines");
}

}  // namespace esdb::tools
