#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include "bench/child.h"
#include "bench/memory_group.h"
#include "bench/size_cases.h"

namespace esdb::bench {
namespace {

enum class Pages : std::uint8_t { kKept, kForgotten };

// A store is open when the first conditional append is acknowledged and the first selective read
// answered.
Run open_until_ready(SizedStore& sized, Pages pages, std::mt19937_64& random, Watch& watch) {
  const auto& directory = sized.directory();
  if (pages == Pages::kForgotten) forget_pages(directory);
  const auto name = stream_name(random() % sized.queries().streams());
  watch.begin();
  const auto begin = Clock::now();
  const auto store = open(directory).value();
  const auto opened = seconds_since(begin);
  const auto version = store->stream_info(name).value().version;
  store->append(name, Expect::exactly(version), {{.type = "Opened", .data = "{}"}}).value();
  const auto appended = seconds_since(begin);
  auto cursor = store->read(stream(name), {.limit = 10});
  if (cursor.next().value().empty()) throw MeasurementFailed("the stream was not found");
  const auto ready = seconds_since(begin);
  watch.end();
  return {.figure = ready, .more = {{"open_s", opened}, {"until_append_s", appended}}};
}

Run recovery(SizedStore& sized, std::mt19937_64& random, Watch& watch) {
  append_and_crash(sized.directory(), sized.events(), scaled(3 * kSecond));
  return open_until_ready(sized, Pages::kKept, random, watch);
}

Run rebuild(SizedStore& sized, Watch& watch) {
  const auto& directory = sized.directory();
  std::filesystem::remove_all(directory + "/index");
  watch.begin();
  const auto begin = Clock::now();
  const auto store = open(directory).value();
  auto statistics = store->statistics().value();
  while (statistics.state != "ready" || statistics.indexed < statistics.durable) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    statistics = store->statistics().value();
  }
  const auto taken = seconds_since(begin);
  watch.end();
  return {.figure = static_cast<double>(statistics.durable.value) / taken,
          .more = {{"seconds", taken}}};
}

void add_open(Suite& suite, const Size& size, Pages pages) {
  suite.add({.name = size.name() + "/open/pages:" + (pages == Pages::kKept ? "warm" : "cold"),
             .unit = "s",
             .better = Better::kLower,
             .goal = figure_of(1),
             .prepare = [store = size.store, pages]() -> Measurement {
               store->directory();
               return [store, pages, random = std::mt19937_64(kSeed)](Watch& watch) mutable {
                 return open_until_ready(*store, pages, random, watch);
               };
             },
             .runs = 5});
}

}  // namespace

void add_opening(Suite& suite, const Size& size) {
  add_open(suite, size, Pages::kKept);
  add_open(suite, size, Pages::kForgotten);
  suite.add({.name = size.name() + "/recovery",
             .unit = "s",
             .better = Better::kLower,
             .goal = figure_of(1),
             .prepare = [store = size.store]() -> Measurement {
               store->directory();
               return [store, random = std::mt19937_64(kSeed)](Watch& watch) mutable {
                 return recovery(*store, random, watch);
               };
             }});
  suite.add({.name = size.name() + "/rebuild_index",
             .unit = "events/s",
             .goal = figure_of(500'000),
             .prepare = [store = size.store]() -> Measurement {
               store->directory();
               return [store](Watch& watch) { return rebuild(*store, watch); };
             },
             .runs = 1,
             .tries = 2});
}

}  // namespace esdb::bench
