// esctl read, subscribe, get, count.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/commands.h"
#include "tools/event_text.h"
#include "tools/reading.h"
#include "tools/selection.h"
#include "tools/times.h"
#include "tools/values.h"

namespace esdb::tools {
namespace {

constexpr const char* kReadExamples =
    "  esctl read order-1\n"
    "  esctl read --category order --type Placed --tag customer:7 --backwards --limit 10\n"
    "  esctl read --query 'type:Placed,Paid tag:vip | category:refund' --since 1h --json\n"
    "  esctl read --all --last 20 --follow\n";

constexpr const char* kSubscribeExamples =
    "  esctl subscribe --category order\n"
    "  esctl subscribe --all --after 1200 --json\n"
    "  esctl subscribe --type Paid --from-end --limit 1\n"
    "  esctl subscribe order-1 --exit-when-caught-up\n";

constexpr const char* kGetExamples =
    "  esctl get 1200\n"
    "  esctl get order-1@3 --json\n"
    "  esctl get picture-7@1 --data-only > picture.png\n";

constexpr const char* kCountExamples =
    "  esctl count --all\n"
    "  esctl count --type Placed --tag customer:7\n"
    "  esctl count order-1 --after 1200\n";

struct ReadArguments {
  Selection selection{};
  Range range{};
  bool backwards = false, follow = false, from_end = false, until_caught_up = false;
  std::optional<std::uint64_t> last{};
};

// Events from now on, until `limit` are printed, the reader has caught up (where that is asked), or
// the user has enough.
Result<ExitCode> follow(EventStore& store, Query query, Start start, std::uint64_t limit,
                        const ReadArguments& arguments, const Invocation& invocation) {
  EventPrinter printer(invocation);
  if (limit == 0) return ExitCode::kOk;
  Reading reading(
      store.subscribe(std::move(query), std::move(start)), invocation,
      arguments.until_caught_up ? Reading::Patience::kToTheEnd : Reading::Patience::kForever);
  for (;;) {
    const auto batch = reading.next();
    if (!batch) {
      if (is_interruption(batch.error(), invocation)) return ExitCode::kOk;
      return std::unexpected(batch.error());
    }
    for (const auto event : *batch) {
      printer.print(event);
      if (printer.printed() == limit) break;
    }
    if (auto out = printer.flush(); !out) return std::unexpected(out.error());
    if (printer.printed() == limit) return ExitCode::kOk;
    if (arguments.until_caught_up && batch->caught_up()) return ExitCode::kOk;
  }
}

Result<ExitCode> read_plainly(EventStore& store, const Query& query, const ReadOptions& options,
                              const Invocation& invocation) {
  EventPrinter printer(invocation);
  const auto read = for_each_batch(store.read(query, options), invocation,
                                   [&](const Batch& batch) -> Result<void> {
                                     for (const auto event : batch) printer.print(event);
                                     return printer.flush();
                                   });
  if (!read) return std::unexpected(read.error());
  return ExitCode::kOk;
}

// The newest `count` events, oldest first. Batches are kept, because they are met newest first.
Result<Position> read_last(EventStore& store, const Query& query, ReadOptions options,
                           std::uint64_t count, const Invocation& invocation) {
  const auto statistics = store.statistics();
  if (!statistics) return std::unexpected(statistics.error());
  options.direction = Direction::kBackwards;
  options.limit = std::min(options.limit, count);
  options.up_to = statistics->durable;  // what comes later is met by whoever follows from here on
  std::vector<Batch> batches;
  const auto read = for_each_batch(store.read(query, options), invocation,
                                   [&](const Batch& batch) -> Result<void> {
                                     batches.push_back(batch);
                                     return {};
                                   });
  if (!read) return std::unexpected(read.error());
  EventPrinter printer(invocation);
  for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
    std::vector<RecordedEvent> events(batch->begin(), batch->end());
    for (auto event = events.rbegin(); event != events.rend(); ++event) printer.print(*event);
  }
  if (auto out = printer.flush(); !out) return std::unexpected(out.error());
  return statistics->durable;
}

Result<void> check_read(const ReadArguments& arguments) {
  const auto& range = arguments.range;
  const bool begins = range.after || range.after_version;
  if (arguments.follow && arguments.backwards)
    return usage("--follow goes forwards: leave out --backwards");
  if (arguments.follow && range.until) return usage("--follow has no end: leave out --until");
  if (arguments.follow && range.since && (begins || arguments.last))
    return usage("--follow begins at one place: give --since, or --after, or --last");
  if (arguments.last && (arguments.backwards || begins || range.limit))
    return usage("--last N is a place and a number: leave out --after, --limit and --backwards");
  return {};
}

Result<std::shared_ptr<EventStore>> open_to_follow(std::string_view option,
                                                   const Invocation& invocation) {
  const auto url = invocation.store_url();
  if (!url) return std::unexpected(url.error());
  if (auto can = invocation.can_follow(*url, option); !can) return std::unexpected(can.error());
  return invocation.open(*url, Purpose::kRead);
}

Result<ExitCode> read(const ReadArguments& arguments, const Invocation& invocation) {
  if (auto ok = check_read(arguments); !ok) return std::unexpected(ok.error());
  const auto query = to_query(arguments.selection, WhenEmpty::kRefuse);
  if (!query) return std::unexpected(query.error());
  auto options = to_read_options(arguments.range);
  if (!options) return std::unexpected(options.error());
  if (arguments.backwards) options->direction = Direction::kBackwards;
  const auto store =
      arguments.follow ? open_to_follow("--follow", invocation) : invocation.open(Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  if (arguments.last) {
    const auto head = read_last(**store, *query, *options, *arguments.last, invocation);
    if (!head) return std::unexpected(head.error());
    if (!arguments.follow) return ExitCode::kOk;
    return follow(**store, *query, Start::after(*head), ~std::uint64_t{0}, arguments, invocation);
  }
  if (arguments.follow) {
    const auto start = options->since ? Start::since(*options->since) : options->start;
    return follow(**store, *query, start, options->limit, arguments, invocation);
  }
  return read_plainly(**store, *query, *options, invocation);
}

Result<ExitCode> subscribe(const ReadArguments& arguments, const Invocation& invocation) {
  if (arguments.from_end && (arguments.range.after || arguments.range.after_version))
    return usage("--from-end and --after both say where to begin: give one");
  const auto query = to_query(arguments.selection, WhenEmpty::kRefuse);
  if (!query) return std::unexpected(query.error());
  auto start = to_start(arguments.range);
  if (!start) return std::unexpected(start.error());
  if (arguments.from_end) start = Start::end();
  const auto store = arguments.until_caught_up
                         ? invocation.open(Purpose::kRead)
                         : open_to_follow("subscribe without --exit-when-caught-up", invocation);
  if (!store) return std::unexpected(store.error());
  return follow(**store, *query, *start, arguments.range.limit.value_or(~std::uint64_t{0}),
                arguments, invocation);
}

struct GetArguments {
  std::string which{};
  bool data_only = false;
};

struct Place {
  std::string stream{};  // empty: the log
  std::uint64_t number{};
};

Result<Place> to_place(const std::string& which) {
  const auto at = which.rfind('@');
  Place place;
  std::string_view number = which;
  if (at != which.npos) {
    place.stream = which.substr(0, at);
    number.remove_prefix(at + 1);
  }
  place.number = to_number(number).value_or(0);
  if (place.number == 0 || (at != which.npos && place.stream.empty()))
    return usage(
        fmt::format("\"{}\" is neither a POSITION nor STREAM@VERSION, counted from 1", which));
  return place;
}

// Why nothing is at a place: where the log or the stream ends, or what stands there.
Error nothing_at(const Place& place, EventStore& store) {
  const auto told = [](std::string message) { return failed(std::move(message)).error(); };
  if (place.stream.empty()) {
    const auto statistics = store.statistics();
    if (!statistics) return statistics.error();
    const auto end = statistics->durable.value;
    if (end >= place.number)
      return told(fmt::format("position {} holds an event of the system's", place.number));
    return told(fmt::format("no event at position {}: the store {}", place.number,
                            end == 0 ? "is empty" : fmt::format("ends at {}", end)));
  }
  const auto info = store.stream_info(place.stream);
  if (!info) return info.error();
  const auto end = info->version.value;
  return told(fmt::format("no event {}@{}: the stream {}", place.stream, place.number,
                          end == 0 ? "was never written" : fmt::format("ends at version {}", end)));
}

// The event at a place, alone. One that is beyond the end is no position of another store here:
// nobody wrote it down, a person asks.
Result<Batch> event_at(const Place& place, EventStore& store, const Invocation& invocation) {
  const bool in_stream = !place.stream.empty();
  const auto query = in_stream ? stream(place.stream) : everything();
  const auto before = place.number - 1;
  const auto start = in_stream ? Start::after_version(before) : Start::after(Position{before});
  Reading reading(store.read(query, {.start = start, .limit = 1}), invocation,
                  Reading::Patience::kTimeout);
  for (;;) {
    const auto batch = reading.next();
    if (!batch && batch.error().code == ErrorCode::kOtherStore)
      return std::unexpected(nothing_at(place, store));
    if (!batch) return batch;
    const bool found =
        !batch->empty() && (in_stream || (*batch->begin()).position() == Position{place.number});
    if (found) return batch;
    if (!batch->empty() || batch->finished()) return std::unexpected(nothing_at(place, store));
  }
}

Result<ExitCode> get(const GetArguments& arguments, const Invocation& invocation) {
  if (arguments.data_only && invocation.json())
    return usage("--data-only gives the bytes as they are, and --json a JSON line: leave one out");
  const auto place = to_place(arguments.which);
  if (!place) return std::unexpected(place.error());
  const auto store = invocation.open(Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  const auto found = event_at(*place, **store, invocation);
  if (!found) return std::unexpected(found.error());
  const auto event = *found->begin();
  if (arguments.data_only) {
    invocation.out() << event.data() << std::flush;
    if (!invocation.out()) return failed("cannot write to the output");
    return ExitCode::kOk;
  }
  EventPrinter printer(invocation);
  printer.print(event);
  if (auto out = printer.flush(); !out) return std::unexpected(out.error());
  return ExitCode::kOk;
}

struct CountArguments {
  Selection selection{};
  std::optional<std::uint64_t> after{};
};

Result<ExitCode> count(const CountArguments& arguments, const Invocation& invocation) {
  const auto query = to_query(arguments.selection, WhenEmpty::kEverything);
  if (!query) return std::unexpected(query.error());
  const auto store = invocation.open(Purpose::kRead);
  if (!store) return std::unexpected(store.error());
  const auto found = (*store)->count(*query, Position{arguments.after.value_or(0)});
  if (!found) return std::unexpected(found.error());
  if (invocation.json()) {
    invocation.out() << nlohmann::ordered_json{{"count", *found}}.dump() << std::endl;
  } else {
    invocation.out() << *found << std::endl;
  }
  return ExitCode::kOk;
}

void add_get_and_count(Commands& commands) {
  const auto get_arguments = std::make_shared<GetArguments>();
  auto& getting = commands.add(
      {.name = "get", .about = "Show one event", .examples = kGetExamples},
      [get_arguments](const Invocation& invocation) { return get(*get_arguments, invocation); });
  getting.add_option("WHICH", get_arguments->which, "POSITION or STREAM@VERSION")->required();
  getting.add_flag("--data-only", get_arguments->data_only, "Its data as it is, and nothing else");

  const auto count_arguments = std::make_shared<CountArguments>();
  auto& counting =
      commands.add({.name = "count", .about = "Count events", .examples = kCountExamples},
                   [count_arguments](const Invocation& invocation) {
                     return count(*count_arguments, invocation);
                   });
  add_selection(counting, count_arguments->selection);
  add_number(counting, "--after", count_arguments->after, "Only behind this position", "POSITION");
}

}  // namespace

void add_read(Commands& commands) {
  const auto reading = std::make_shared<ReadArguments>();
  auto& read_command =
      commands.add({.name = "read", .about = "Show events", .examples = kReadExamples},
                   [reading](const Invocation& invocation) { return read(*reading, invocation); });
  add_selection(read_command, reading->selection);
  add_range(read_command, reading->range);
  read_command.add_flag("--backwards", reading->backwards, "Newest first");
  add_number(read_command, "--last", reading->last, "The newest N events, oldest first");
  read_command.add_flag("--follow", reading->follow, "Go on with what is written later");

  const auto subscribing = std::make_shared<ReadArguments>();
  auto& subscribe_command = commands.add(
      {.name = "subscribe",
       .about = "Show events as they are written, from the beginning or from a place",
       .examples = kSubscribeExamples},
      [subscribing](const Invocation& invocation) { return subscribe(*subscribing, invocation); });
  add_selection(subscribe_command, subscribing->selection);
  add_number(subscribe_command, "--after", subscribing->range.after,
             "Begin behind this position (the last one already seen)", "POSITION");
  subscribe_command.add_flag("--from-end", subscribing->from_end,
                             "Only what is written from now on");
  add_number(subscribe_command, "--limit", subscribing->range.limit, "End after so many events");
  subscribe_command.add_flag("--exit-when-caught-up", subscribing->until_caught_up,
                             "End when nothing more is there");
  add_get_and_count(commands);
}

}  // namespace esdb::tools
