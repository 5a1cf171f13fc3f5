#include <string>
#include <utility>

#include "bench/append_limit.h"
#include "bench/reporter.h"
#include "bench/size_cases.h"

namespace esdb::bench {
namespace {

constexpr std::size_t kDataBytes = 256;
constexpr const char* kGroupLimit = "1 MiB after 1 MiB of the same bytes in bare durable writes";

double raw_events_per_second(const std::string& directory, std::size_t events_of_append) {
  const ZeroedFile raw(directory, raw_bytes());
  return append_limit(raw, {.events = events_of_append}, 1024, scaled(kSecond)).events_per_second;
}

void add_disk(Run& told, const std::string& directory, const Filled& filled) {
  const auto events = filled.appends.events;
  const auto bytes = disk_bytes(directory);
  const auto per_event = [events](std::uint64_t sum) {
    return static_cast<double>(sum) / static_cast<double>(events);
  };
  told.more["log_bytes_per_event"] = per_event(bytes.log);
  told.more["written_bytes_per_event"] = per_event(filled.log_bytes);
  told.more["index_bytes_per_event"] = per_event(bytes.index);
  told.more["disk_per_data_byte"] = per_event(bytes.both()) / kDataBytes;
}

Run told_of(const Filled& filled, double raw) {
  return {.figure = filled.events_until_acknowledged_per_s,
          .limit = raw,
          .latencies = filled.appends.latencies,
          .more = {{"until_indexed_per_s", filled.events_until_indexed_per_s}}};
}

Filled fill_new(const std::string& directory, const AppendLoad& load, Watch& watch) {
  const auto store = open(directory).value();
  watch.begin();
  auto filled = fill(*store, load);
  watch.end();
  return filled;
}

Run one_stream(std::uint64_t events, Watch& watch) {
  const Scratch scratch;
  const auto raw = raw_events_per_second(scratch.path(), 512);
  const AppendLoad load{
      .shape = {.events = 512}, .in_flight = 16, .amount = so_many((events + 511) / 512)};
  const auto filled = fill_new(scratch.path("store"), load, watch);
  auto told = told_of(filled, raw);
  add_disk(told, scratch.path("store"), filled);
  return told;
}

Run many_streams(SizedStore& store, Watch& watch) {
  const Scratch scratch;
  const auto raw = raw_events_per_second(scratch.path(), 512);
  watch.begin();
  auto told = told_of(store.filled(), raw);
  watch.end();
  add_disk(told, store.directory(), store.filled());
  return told;
}

// Figure: bytes on the disk for a byte of data.
Run disk_of_one_each(const SizedStore& sized, Watch& watch) {
  const Scratch scratch;
  const AppendLoad load{
      .shape = sized.shape(), .in_flight = 256, .amount = so_many(sized.events())};
  const auto filled = fill_new(scratch.path("store"), load, watch);
  auto told = told_of(filled, 0);
  told.more["events_per_s"] = told.figure;
  add_disk(told, scratch.path("store"), filled);
  told.figure = told.more["disk_per_data_byte"];
  return told;
}

Run disk_of_many_each(SizedStore& sized) {
  Run told;
  add_disk(told, sized.directory(), sized.filled());
  told.figure = told.more["disk_per_data_byte"];
  return told;
}

}  // namespace

std::string Size::name() const { return amount_text(millions) + "M"; }

void add_filling(Suite& suite, const Size& size) {
  const auto events = size.store->events();
  suite.add({.name = size.name() + "/bulk/one_stream",
             .unit = "events/s",
             .limit = kGroupLimit,
             .goal = figure_of(1'200'000),
             .prepare = [events]() -> Measurement {
               return [events](Watch& watch) { return one_stream(events, watch); };
             },
             .runs = 1,
             .tries = 1});
  suite.add({.name = size.name() + "/bulk/random_streams",
             .unit = "events/s",
             .limit = kGroupLimit,
             .goal = figure_of(400'000),
             .prepare = [store = size.store]() -> Measurement {
               return [store](Watch& watch) { return many_streams(*store, watch); };
             },
             .runs = 1,
             .tries = 1});
  suite.add({.name = size.name() + "/disk/events_of_append:512",
             .unit = "B/B of data",
             .better = Better::kLower,
             .goal = figure_of(2.0),
             .prepare = [store = size.store]() -> Measurement {
               return [store](Watch&) { return disk_of_many_each(*store); };
             },
             .runs = 1,
             .tries = 1});
  suite.add({.name = size.name() + "/disk/events_of_append:1/in_flight:256",
             .unit = "B/B of data",
             .better = Better::kLower,
             .goal = figure_of(2.5),
             .prepare = [store = size.store]() -> Measurement {
               return [store](Watch& watch) { return disk_of_one_each(*store, watch); };
             },
             .runs = 1,
             .tries = 1});
}

}  // namespace esdb::bench
