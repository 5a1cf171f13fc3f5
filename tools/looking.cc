// esctl streams, info, types, categories, tags, tracking, stats, ping.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/commands.h"
#include "tools/table.h"
#include "tools/times.h"
#include "tools/values.h"

namespace esdb::tools {
namespace {

using Json = nlohmann::ordered_json;

struct ListArguments {
  std::string prefix{};
  std::optional<std::uint64_t> limit{};
};

void print_json(const Json& line, const Invocation& invocation) {
  invocation.out() << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

std::string or_dash(bool any, std::string text) { return any ? std::move(text) : "-"; }

// Page by page until `limit` rows were handled. `page(after, size)` fills `rows`, `next`.
template <class GetPage, class Rows, class Handle>
Result<void> for_each_row(std::optional<std::uint64_t> at_most, GetPage get_page, Rows rows_of,
                          Handle handle) {
  std::string after;
  auto limit = at_most.value_or(std::numeric_limits<std::uint64_t>::max());
  while (limit > 0) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(limit, 1000));
    const auto page = get_page(after, size);
    if (!page) return std::unexpected(page.error());
    for (const auto& row : rows_of(*page)) handle(row);
    limit -= std::min<std::uint64_t>(limit, rows_of(*page).size());
    if (page->next.empty()) return {};
    after = page->next;
  }
  return {};
}

Result<ExitCode> finish(const Invocation& invocation) {
  invocation.out().flush();
  if (!invocation.out()) return failed("cannot write to the output");
  return ExitCode::kOk;
}

Json to_json(const StreamInfo& info) {
  return {
      {"stream", info.name},
      {"version", info.version.value},
      {"first_version", info.first_version.value},
      {"last_position", info.last_position.value},
      {"last_committed", info.version ? Json(format_time(info.last_committed)) : Json(nullptr)}};
}

Result<ExitCode> streams(const ListArguments& arguments, const Invocation& invocation) {
  const auto store = invocation.open(Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  Table table({{"VERSION", Table::Align::kRight},
               {"POSITION", Table::Align::kRight},
               {"LAST COMMITTED"},
               {"STREAM"}});
  const auto listed = for_each_row(
      arguments.limit,
      [&](const std::string& after, std::size_t size) {
        return (*store)->streams(arguments.prefix, after, size);
      },
      [](const StreamPage& page) -> const auto& { return page.streams; },
      [&](const StreamInfo& info) {
        if (invocation.json()) return print_json(to_json(info), invocation);
        table.add({std::to_string(info.version.value), std::to_string(info.last_position.value),
                   format_time(info.last_committed), printable(info.name)});
      });
  if (!listed) return std::unexpected(listed.error());
  table.print(invocation.out(), invocation.around.terminal);
  return finish(invocation);
}

Result<ExitCode> info(const std::string& stream, const Invocation& invocation) {
  const auto store = invocation.open(Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  const auto found = (*store)->stream_info(stream);
  if (!found) return std::unexpected(found.error());
  if (invocation.json()) {
    auto shown = *found;
    shown.name = stream;
    print_json(to_json(shown), invocation);
    return finish(invocation);
  }
  Table table({{""}, {""}});
  table.add({"stream", printable(stream)});
  if (found->version) {
    table.add({"version", grouped(found->version.value)});
    table.add({"first version kept", grouped(found->first_version.value)});
    table.add({"last position", grouped(found->last_position.value)});
    table.add({"last committed", format_time(found->last_committed)});
  } else {
    table.add({"version", "0 (never written)"});
  }
  table.print(invocation.out(), {});
  return finish(invocation);
}

Result<ExitCode> terms(TermKind kind, const char* name, const ListArguments& arguments,
                       const Invocation& invocation) {
  const auto store = invocation.open(Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  Table table({{"EVENTS", Table::Align::kRight}, {"LAST", Table::Align::kRight}, {"NAME"}});
  const auto listed = for_each_row(
      arguments.limit,
      [&](const std::string& after, std::size_t size) {
        return (*store)->terms(kind, arguments.prefix, after, size);
      },
      [](const TermPage& page) -> const auto& { return page.terms; },
      [&](const TermPage::Term& term) {
        if (invocation.json()) {
          return print_json({{name, term.text}, {"events", term.events}, {"last", term.last.value}},
                            invocation);
        }
        table.add(
            {std::to_string(term.events), std::to_string(term.last.value), printable(term.text)});
      });
  if (!listed) return std::unexpected(listed.error());
  table.print(invocation.out(), invocation.around.terminal);
  return finish(invocation);
}

Result<ExitCode> tracking(const ListArguments& arguments, const Invocation& invocation) {
  const auto store = invocation.open(Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  Table table({{"POSITION", Table::Align::kRight}, {"SOURCE"}});
  const auto listed = for_each_row(
      arguments.limit,
      [&](const std::string& after, std::size_t size) {
        return (*store)->tracking(arguments.prefix, after, size);
      },
      [](const TrackingPage& page) -> const auto& { return page.sources; },
      [&](const Tracking& one) {
        if (invocation.json())
          return print_json({{"source", one.source}, {"position", one.position}}, invocation);
        table.add({std::to_string(one.position), printable(one.source)});
      });
  if (!listed) return std::unexpected(listed.error());
  table.print(invocation.out(), invocation.around.terminal);
  return finish(invocation);
}

bool is_rebuilding(const Statistics& statistics) {
  return statistics.state.starts_with("rebuilding");
}

// A directory is opened for reading by esctl itself: that is no trouble of the store.
std::string state_for_people(const Statistics& statistics) {
  const auto& state = statistics.state;
  if (state == "read_only: opened for reading") return "opened for reading";
  if (is_rebuilding(statistics))
    return "the index is being rebuilt" + state.substr(state.find(':'));
  return printable(state);
}

Result<ExitCode> stats(const Invocation& invocation) {
  const auto store = invocation.open(Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  const auto found = (*store)->statistics();
  if (!found) return std::unexpected(found.error());
  const bool any = static_cast<bool>(found->durable);
  // They are counted in the index: not known before it is whole again.
  const bool counted = !is_rebuilding(*found) && !found->state.starts_with("corrupt");
  if (invocation.json()) {
    print_json({{"store_id", found->store_id},
                {"epoch_id", found->epoch_id},
                {"state", found->state},
                {"io", found->io},
                {"events", counted ? Json(found->events) : Json(nullptr)},
                {"streams", counted ? Json(found->streams) : Json(nullptr)},
                {"bytes", found->bytes},
                {"segments", found->segments},
                {"damaged_segments", found->damaged_segments},
                {"durable", found->durable.value},
                {"indexed", found->indexed.value},
                {"last_committed", any ? Json(format_time(found->last_committed)) : Json(nullptr)},
                {"clock_behind_ns", found->clock_behind.count()}},
               invocation);
    return finish(invocation);
  }
  Table table({{""}, {""}});
  constexpr const char* kLater = "not known before the index is whole";
  table.add({"state", state_for_people(*found)});
  table.add({"events", counted ? grouped(found->events) : kLater});
  table.add({"streams", counted ? grouped(found->streams) : kLater});
  table.add({"bytes", grouped(found->bytes)});
  table.add({"segments", found->damaged_segments == 0
                             ? grouped(found->segments)
                             : fmt::format("{}, {} of them damaged: see the log, and esctl verify",
                                           grouped(found->segments), found->damaged_segments)});
  table.add({"durable position", grouped(found->durable.value)});
  table.add({"indexed position", grouped(found->indexed.value)});
  table.add({"last committed", or_dash(any, format_time(found->last_committed))});
  table.add({"store id", found->store_id});
  table.add({"epoch id", or_dash(!found->epoch_id.empty(), found->epoch_id)});
  table.add({"writes with", found->io});
  if (found->clock_behind > std::chrono::seconds(1))
    table.add({"clock", fmt::format("{} behind the last commit: commit times stand still",
                                    format_duration(found->clock_behind))});
  table.print(invocation.out(), {});
  return finish(invocation);
}

Result<ExitCode> ping(const Invocation& invocation) {
  const auto url = invocation.store_url();
  if (!url) return std::unexpected(url.error());
  const auto store = invocation.open(*url, Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  const auto begin = std::chrono::steady_clock::now();
  const auto found = (*store)->statistics();
  const auto took = std::chrono::steady_clock::now() - begin;
  if (!found) return std::unexpected(found.error());
  if (invocation.json()) {
    print_json({{"store", *url},
                {"store_id", found->store_id},
                {"state", found->state},
                {"round_trip_ns", took.count()}},
               invocation);
  } else {
    invocation.out() << fmt::format("{} answered in {}; state: {}; store {}\n", printable(*url),
                                    format_duration(took), state_for_people(*found),
                                    found->store_id);
  }
  return finish(invocation);
}

void add_list(Commands& commands, const CommandText& text, const char* what,
              std::function<Result<ExitCode>(const ListArguments&, const Invocation&)> list) {
  const auto arguments = std::make_shared<ListArguments>();
  auto& command =
      commands.add(text, [arguments, list = std::move(list)](const Invocation& invocation) {
        return list(*arguments, invocation);
      });
  command.add_option("--prefix", arguments->prefix, std::string("Only ") + what + " that begin so")
      ->type_name("PREFIX");
  add_number(command, "--limit", arguments->limit, "At most so many");
}

}  // namespace

void add_looking(Commands& commands) {
  add_list(commands,
           {.name = "streams",
            .about = "List streams by name",
            .examples = "  esctl streams\n  esctl streams --prefix order- --limit 20\n"},
           "streams", streams);
  const auto stream = std::make_shared<std::string>();
  commands
      .add({.name = "info",
            .about = "Show a stream's version and last commit",
            .examples = "  esctl info order-1\n  esctl info order-1 --json\n"},
           [stream](const Invocation& invocation) { return info(*stream, invocation); })
      .add_option("STREAM", *stream, "The stream")
      ->required();
  const auto add_terms = [&](TermKind kind, std::string name, const char* one) {
    add_list(commands,
             {.name = name,
              .about = fmt::format("List the {} in use, with their numbers of events", name),
              .examples = fmt::format("  esctl {0}\n  esctl {0} --prefix a --json\n", name)},
             name.c_str(),
             [kind, one](const ListArguments& arguments, const Invocation& invocation) {
               return terms(kind, one, arguments, invocation);
             });
  };
  add_terms(TermKind::kType, "types", "type");
  add_terms(TermKind::kCategory, "categories", "category");
  add_terms(TermKind::kTag, "tags", "tag");
  add_list(commands,
           {.name = "tracking",
            .about = "List how far each source has been taken in",
            .examples = "  esctl tracking\n  esctl tracking --prefix /data/ --json\n"},
           "sources", tracking);
  commands.add({.name = "stats",
                .about = "Show the state and size of the store",
                .examples = "  esctl stats\n  esctl stats --store ./data --json\n"},
               stats);
  commands.add({.name = "ping",
                .about = "Ask the store whether it is there, and how quickly it answers",
                .examples = "  esctl ping\n  esctl ping --store esdb://127.0.0.1:3732\n"},
               ping);
}

}  // namespace esdb::tools
