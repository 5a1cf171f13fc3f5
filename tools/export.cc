// esctl export: events as JSON lines, to standard output or a file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "tools/commands.h"
#include "tools/json_lines.h"
#include "tools/line_writer.h"
#include "tools/progress.h"
#include "tools/reading.h"
#include "tools/selection.h"
#include "tools/table.h"
#include "tools/times.h"

namespace esdb::tools {
namespace {

struct ExportArguments {
  Selection selection{};
  Range range{};
  std::string output{};
};

constexpr const char* kExamples =
    "  esctl export -o backup.ndjson.zst\n"
    "  esctl export --category order --since 7d | jq .data.total\n"
    "  esctl export --store ./data | esctl import - --source old --store ./other\n\n"
    "Without a selection: every event (but the system's). A file appears under its name when it "
    "is\n"
    "whole.";

class Export {
 public:
  Export(std::unique_ptr<LineWriter> out, const Invocation& invocation)
      : invocation_(invocation),
        out_(std::move(out)),
        progress_(invocation.err(), invocation.json() ? Terminal{} : invocation.around.terminal) {}

  Result<void> write(const Batch& batch) {
    text_.clear();
    for (const auto event : batch) {
      lines_.append_line(event, text_);
      ++events_;
    }
    Progress::Done done{.events = events_};
    if (batch.head())
      done.share =
          static_cast<double>(batch.considered().value) / static_cast<double>(batch.head().value);
    progress_.show(done);
    return out_->write(text_);
  }

  Result<void> finish() {
    progress_.clear();
    return out_->finish();
  }

  void summarize(const std::string& output) const {
    if (invocation_.json()) {
      const nlohmann::ordered_json line{
          {"events", events_},
          {"output", output},
          {"seconds", std::chrono::duration<double>(progress_.elapsed()).count()}};
      invocation_.out() << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                        << std::endl;
    } else {
      invocation_.err() << fmt::format("{} events in {}, {}\n", grouped(events_), printable(output),
                                       format_duration(progress_.elapsed()))
                        << std::flush;
    }
  }

 private:
  const Invocation& invocation_;
  std::unique_ptr<LineWriter> out_;
  Progress progress_;
  JsonLineWriter lines_{};
  std::string text_{};
  std::uint64_t events_ = 0;
};

Result<ExitCode> export_events(const ExportArguments& arguments, const Invocation& invocation) {
  const auto query = to_query(arguments.selection, WhenEmpty::kEverything);
  if (!query) return std::unexpected(query.error());
  const auto options = to_read_options(arguments.range);
  if (!options) return std::unexpected(options.error());
  const auto store = invocation.open(Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  const bool to_file = !arguments.output.empty() && arguments.output != "-";
  auto writer =
      to_file ? LineWriter::to_file(arguments.output)
              : Result<std::unique_ptr<LineWriter>>(std::make_unique<LineWriter>(invocation.out()));
  if (!writer) return std::unexpected(writer.error());
  Export exporting(std::move(*writer), invocation);
  auto read = for_each_batch((*store)->read(*query, *options), invocation,
                             [&](const Batch& batch) { return exporting.write(batch); });
  if (!read) return std::unexpected(read.error());
  if (auto finished = exporting.finish(); !finished) return std::unexpected(finished.error());
  if (to_file) exporting.summarize(arguments.output);
  return ExitCode::kOk;
}

}  // namespace

void add_export(Commands& commands) {
  const auto arguments = std::make_shared<ExportArguments>();
  auto& command = commands.add(
      {.name = "export", .about = "Write events as JSON lines", .examples = kExamples},
      [arguments](const Invocation& invocation) { return export_events(*arguments, invocation); });
  add_selection(command, arguments->selection);
  add_range(command, arguments->range);
  command
      .add_option("-o,--output", arguments->output, "The file; compressed where it ends in .zst")
      ->type_name("FILE[.zst]");
}

}  // namespace esdb::tools
