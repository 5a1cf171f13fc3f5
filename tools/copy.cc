// esctl copy: events of one store into another, each exactly once.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>

#include "tools/commands.h"
#include "tools/pipeline.h"
#include "tools/progress.h"
#include "tools/reading.h"
#include "tools/selection.h"
#include "tools/table.h"
#include "tools/times.h"

namespace esdb::tools {
namespace {

struct CopyArguments {
  std::string from{}, to{}, source{};
  Selection selection{};
  bool follow = false;
};

constexpr const char* kExamples =
    "  esctl copy ./data unix:/run/esdb/esdb.sock\n"
    "  esctl copy unix:/run/esdb/esdb.sock ./orders --category order --follow\n\n"
    "What was one append stays one append; ids and authors' times stay too. Commit times become "
    "new:\n"
    "those of the store copied to, as its positions are. It keeps "
    "how far it has come (esctl\n"
    "tracking), so the same command again goes on where it stood.";

// Appends made of the events that the selection finds in one append of the store copied from.
class Copy {
 public:
  Copy(EventStore& to, std::string source, const Invocation& invocation)
      : pipeline_(to, {.source = std::move(source),
                       .timeout = invocation.global.timeout_parsed,
                       .stop = invocation.around.stop}),
        progress_(invocation.err(), invocation.json() ? Terminal{} : invocation.around.terminal) {}

  Result<std::uint64_t> begin() { return pipeline_.begin(); }

  Result<void> take(const Batch& batch) {
    for (const auto event : batch) {
      if (!unit_.events.empty() && event.append() != append_) {
        if (auto pushed = push(); !pushed) return pushed;
      }
      append_ = event.append();
      unit_.places.push_back(event.position().value);
      unit_.tracked_to = event.position().value;
      unit_.events.push_back(event.copy());
      if (!event.ends_append()) continue;
      if (auto pushed = push(); !pushed) return pushed;
    }
    Progress::Done done{.events = pipeline_.totals().events};
    if (batch.head())
      done.share =
          static_cast<double>(batch.considered().value) / static_cast<double>(batch.head().value);
    progress_.show(done);
    // The end of an append may match nothing: once considered, what there is of it is all of it.
    if (batch.caught_up() || batch.finished()) return settle();
    return {};
  }

  Result<void> settle() {
    if (!unit_.events.empty()) {
      if (auto pushed = push(); !pushed) return pushed;
    }
    return pipeline_.finish();
  }

  void summarize(const Invocation& invocation) {
    progress_.clear();
    const auto& totals = pipeline_.totals();
    if (invocation.json()) {
      const nlohmann::ordered_json line{
          {"events", totals.events},
          {"appends", totals.appends},
          {"repeated", totals.repeated},
          {"tracked_to", totals.tracked_to},
          {"seconds", std::chrono::duration<double>(progress_.elapsed()).count()}};
      invocation.out() << line.dump() << std::endl;
    } else if (totals.events == 0) {
      invocation.out() << "nothing new\n" << told_repeated(totals) << std::flush;
    } else {
      invocation.out() << fmt::format("{} events in {} appends, {}\n", grouped(totals.events),
                                      grouped(totals.appends), format_duration(progress_.elapsed()))
                       << told_repeated(totals) << std::flush;
    }
  }

  std::uint64_t tracked_to() const { return pipeline_.totals().tracked_to; }

 private:
  Result<void> push() { return pipeline_.push(std::exchange(unit_, {})); }

  Pipeline pipeline_;
  Progress progress_;
  Unit unit_{};
  Position append_{};
};

// The name under which the target keeps how far it has come: the store, and what of it is copied.
std::string source_of(const std::string& store_id, const Query& query) {
  const auto text = to_string(query);
  if (text == to_string(everything())) return "copy:" + store_id;
  EventId selection;
  for (const char byte : text)
    selection = EventId::derive(selection, static_cast<unsigned char>(byte));
  return fmt::format("copy:{}:{}", store_id, to_string(selection));
}

Result<void> copy_all(Cursor cursor, Copy& copying, const CopyArguments& arguments,
                      const Invocation& invocation) {
  Reading reading(std::move(cursor), invocation,
                  arguments.follow ? Reading::Patience::kForever : Reading::Patience::kTimeout);
  for (;;) {
    const auto batch = reading.next();
    if (!batch) return std::unexpected(batch.error());
    if (auto taken = copying.take(*batch); !taken) return taken;
    if (batch->finished()) return copying.settle();
  }
}

// Before either is opened: as one directory, FROM would be found locked by TO.
bool are_one_place(const std::string& from, const std::string& to) {
  std::error_code missing;
  return from == to || std::filesystem::equivalent(from, to, missing);
}

Result<ExitCode> copy(const CopyArguments& arguments, const Invocation& invocation) {
  const auto query = to_query(arguments.selection, WhenEmpty::kEverything);
  if (!query) return std::unexpected(query.error());
  if (are_one_place(arguments.from, arguments.to))
    return usage(fmt::format("FROM and TO are the same store, {}", arguments.from));
  if (arguments.follow) {
    if (auto can = invocation.can_follow(arguments.from, "--follow"); !can)
      return std::unexpected(can.error());
  }
  const auto from = invocation.open(arguments.from, Purpose::kRead);
  if (!from) return std::unexpected(from.error());
  const auto statistics = (*from)->statistics();
  if (!statistics) return std::unexpected(statistics.error());
  const auto to = invocation.open(arguments.to, Purpose::kWrite);
  if (!to) return std::unexpected(to.error());
  const auto target = (*to)->statistics();
  if (!target) return std::unexpected(target.error());
  if (target->store_id == statistics->store_id)
    return usage(
        fmt::format("FROM and TO are the same store, {}, or copies of it", statistics->store_id));
  const auto source =
      arguments.source.empty() ? source_of(statistics->store_id, *query) : arguments.source;
  Copy copying(**to, source, invocation);
  const auto done = copying.begin();
  if (!done) return std::unexpected(done.error());
  const auto start = Start::after(Position{*done});
  auto cursor = arguments.follow ? (*from)->subscribe(*query, start)
                                 : (*from)->read(*query, {.start = start});
  auto copied = copy_all(std::move(cursor), copying, arguments, invocation);
  const bool enough = !copied && arguments.follow && is_interruption(copied.error(), invocation);
  if (!copied && !enough) {
    if (copied.error().code == ErrorCode::kOtherStore)
      return std::unexpected(Error{
          .code = ErrorCode::kOtherStore,
          .message = fmt::format("TO has taken in {} up to position {}, and FROM does not reach so "
                                 "far: it was restored from an older backup, or is another store "
                                 "(esctl tracking shows what TO knows)",
                                 source, *done)});
    copied.error().message += fmt::format(
        "; copied up to position {}. The same command again goes "
        "on there",
        copying.tracked_to());
    return std::unexpected(copied.error());
  }
  copying.summarize(invocation);
  return ExitCode::kOk;
}

}  // namespace

void add_copy(Commands& commands) {
  const auto arguments = std::make_shared<CopyArguments>();
  auto& command = commands.add(
      {.name = "copy", .about = "Append the events of one store to another", .examples = kExamples},
      [arguments](const Invocation& invocation) { return copy(*arguments, invocation); });
  command.add_option("FROM", arguments->from, "The store to read: a directory or a URL")
      ->required();
  command.add_option("TO", arguments->to, "The store to append to")->required();
  add_selection(command, arguments->selection);
  command.add_flag("--follow", arguments->follow, "Go on with what is written later");
  command
      .add_option("--source", arguments->source,
                  "The name under which TO keeps how far it has come; FROM's store id without it")
      ->type_name("NAME");
}

}  // namespace esdb::tools
