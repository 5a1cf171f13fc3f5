#include "tools/selection.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <utility>

#include "tools/command.h"
#include "tools/times.h"
#include "tools/values.h"

namespace esdb::tools {
namespace {

Time now() {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

Result<std::optional<Time>> moment(const char* option, const std::optional<std::string>& text) {
  if (!text) return std::optional<Time>{};
  const auto time = parse_moment(*text, now());
  if (!time) return usage(fmt::format("{}: {}", option, time.error().message));
  return std::optional<Time>{*time};
}

}  // namespace

void add_selection(CLI::App& command, Selection& selection) {
  // A name is one value, whatever brackets it holds, and takes nothing that follows it.
  const auto names = [&](const char* flag, std::vector<std::string>& out, const char* about) {
    command.add_option(flag, out, about)->allow_extra_args(false)->type_name("NAME");
  };
  command.add_option("STREAM", selection.stream, "The events of this stream");
  command.add_flag("--all", selection.all, "The events of all streams (but the system's)");
  names("--category", selection.categories,
        "Of streams whose name begins so, up to its first '-'; repeated: any of them");
  names("--type", selection.types, "Of this type; repeated: any of them");
  names("--tag", selection.tags, "With this tag; repeated: with all of them");
  command
      .add_option("--query", selection.query,
                  "A query: 'type:Placed,Paid tag:vip | category:order'")
      ->type_name("QUERY");
}

Result<Query> to_query(const Selection& selection, WhenEmpty when_empty) {
  const bool parts = selection.stream || !selection.categories.empty() ||
                     !selection.types.empty() || !selection.tags.empty();
  if (selection.query) {
    if (parts || selection.all)
      return usage(
          "--query says everything itself: put STREAM, --category, --type and --tag into it");
    auto query = Query::parse(*selection.query);
    if (!query) return std::unexpected(query.error());
    return query;
  }
  if (selection.all && (selection.stream || !selection.categories.empty()))
    return usage("--all is every stream: leave out either it or the stream and category");
  if (!parts) {
    if (selection.all || when_empty == WhenEmpty::kEverything) return everything();
    return usage("which events? Give a STREAM, --category, --type, --tag, --query, or --all");
  }
  QueryItem item{.categories = selection.categories, .types = selection.types};
  if (selection.stream) item.streams.push_back(*selection.stream);
  for (const auto& tag : selection.tags) item.tags.emplace_back(tag);
  for (const auto& name : selection.categories) {
    const auto category = category_of(name);
    if (category != name)
      return usage(
          fmt::format("--category: \"{}\" holds a '-', and a category is what stands before a "
                      "stream's first '-': give \"{}\", or \"{}\" as STREAM",
                      name, category, name));
  }
  return Query(std::move(item));
}

void add_range(CLI::App& command, Range& range) {
  add_number(command, "--after", range.after,
             "Begin behind this position (the last one already seen)", "POSITION");
  add_number(command, "--after-version", range.after_version,
             "Of a stream: begin behind this version", "VERSION");
  add_number(command, "--limit", range.limit, "At most so many events");
  command
      .add_option("--since", range.since,
                  "Committed at or after: 2024-05-01T12:00:00Z, 2024-05-01, or 1h ago as '1h'")
      ->type_name("TIME");
  command.add_option("--until", range.until, "Committed before")->type_name("TIME");
}

Result<Start> to_start(const Range& range) {
  if (range.after && range.after_version)
    return usage("--after and --after-version both say where to begin: give one");
  if (range.after) return Start::after(Position{*range.after});
  if (range.after_version) return Start::after_version(Version{*range.after_version});
  return Start::beginning();
}

Result<ReadOptions> to_read_options(const Range& range) {
  ReadOptions options;
  const auto start = to_start(range);
  if (!start) return std::unexpected(start.error());
  options.start = *start;
  if (range.limit) options.limit = *range.limit;
  const auto since = moment("--since", range.since);
  if (!since) return std::unexpected(since.error());
  const auto until = moment("--until", range.until);
  if (!until) return std::unexpected(until.error());
  options.since = *since;
  options.until = *until;
  return options;
}

}  // namespace esdb::tools
