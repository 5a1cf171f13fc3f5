#include <time.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/disk_limits.h"
#include "bench/size_cases.h"

namespace esdb::bench {
namespace {

constexpr std::uint64_t kCommitted = 250'000;  // events that the index has to take

AppendLoad single_appends() {
  return {.condition = Condition::kVersion, .amount = for_time(scaled(4 * kSecond))};
}

Measurement undisturbed(SizedStore& sized) {
  const auto store = std::shared_ptr<EventStore>(sized.open());
  return [store](Watch& watch) {
    const Scratch scratch;
    watch.begin();
    const auto raw = durable_writes(scratch.path(), kUnitBytes, scaled(kSecond));
    const auto appends = run(*store, single_appends()).value();
    watch.end();
    return Run{.figure = appends.latencies.median(),
               .limit = raw.median(),
               .latencies = appends.latencies,
               .is_one_at_a_time = true};
  };
}

void wait_until_indexed(EventStore& store, Position position) {
  const auto give_up = Clock::now() + 10 * kSecond;
  while (store.statistics().value().indexed < position && Clock::now() < give_up)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

// Single appends as long as the index takes to commit what a burst has left to it.
Latencies appends_during_commit(EventStore& store, const SizedStore& sized, std::uint64_t round) {
  auto shape = sized.shape();
  shape.events = 512;
  const auto burst = run(store, {.shape = shape,
                                 .in_flight = 16,
                                 .amount = so_many(scaled(kCommitted) / 512 + 1),
                                 .seed = kSeed + 1'000 + round})
                         .value();
  Latencies latencies;
  std::atomic<bool> committed = false;
  const std::jthread watcher([&] {
    wait_until_indexed(store, burst.last.value - burst.events / 10);
    committed = true;
  });
  while (!committed)
    latencies.merge(
        run(store, {.condition = Condition::kVersion, .amount = so_many(50)}).value().latencies);
  return latencies;
}

Measurement while_index_commits(SizedStore& sized) {
  const auto store = std::shared_ptr<EventStore>(sized.open());
  return [store, &sized](Watch& watch) {
    wait_until_indexed(*store, store->statistics().value().durable);
    watch.begin();
    const auto alone = run(*store, single_appends()).value().latencies;
    Latencies beside;
    const std::uint64_t rounds = is_smoke_run() ? 1 : 8;
    for (std::uint64_t round = 0; round < rounds; ++round)
      beside.merge(appends_during_commit(*store, sized, round));
    watch.end();
    return Run{.figure = beside.percentile(0.99),
               .limit = alone.percentile(0.99),
               .latencies = beside,
               .more = {{"alone_p50_us", alone.median()}}};
  };
}

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  return values.at(values.size() / 2);
}

double process_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double cpu_us_per_append(EventStore& store, const AppendLoad& load) {
  const auto before = process_seconds();
  const auto appends = run(store, load).value();
  return (process_seconds() - before) / static_cast<double>(appends.appends) * 1e6;
}

// Figure: what a check adds to the CPU time of an append, all threads together, its author's
// encoding included. With and without in turn, so that what else changes is shared.
Run cost_of_checks(EventStore& store, const SizedStore& sized, Watch& watch) {
  constexpr std::uint64_t kElsewhere = std::uint64_t{1} << 48;
  AppendLoad without{
      .shape = {.streams = 1'000, .first_stream = kElsewhere, .first_tag = kElsewhere},
      .in_flight = 64,
      .amount = for_time(scaled(kSecond / 4))};
  auto with = without;
  with.condition = Condition::kHead;
  with.checked_tags = sized.queries().tags();
  run(store, with).value();
  std::vector<double> costs, bare;
  watch.begin();
  for (int pair = 0; pair < (is_smoke_run() ? 1 : 40); ++pair) {
    bare.push_back(cpu_us_per_append(store, without));
    costs.push_back(cpu_us_per_append(store, with) - bare.back());
  }
  watch.end();
  return {.figure = median_of(costs), .more = {{"append_without_us", median_of(bare)}}};
}

}  // namespace

void add_sized_appends(Suite& suite, const Size& size) {
  suite.add({.name = size.name() + "/append/one_at_a_time",
             .unit = "us",
             .limit = "a bare durable write of one unit",
             .better = Better::kLower,
             .goal = ratio_of(1.2),
             .prepare = [store = size.store] { return undisturbed(*store); }});
  suite.add({.name = size.name() + "/append_p99/while_the_index_commits",
             .unit = "us",
             .limit = "the 99th percentile of the same appends, undisturbed",
             .better = Better::kLower,
             .goal = ratio_of(4),
             .prepare = [store = size.store] { return while_index_commits(*store); },
             .runs = 2});
}

void add_checks(Suite& suite, const Size& size, Costs& costs) {
  suite.add({.name = size.name() + "/check/unchanged_at_the_head",
             .unit = "us of CPU",
             .better = Better::kLower,
             .goal = figure_of(2),
             .prepare = [store = size.store, &costs, millions = size.millions]() -> Measurement {
               const auto open = std::shared_ptr<EventStore>(store->open());
               return [open, store, &costs, millions](Watch& watch) {
                 auto told = cost_of_checks(*open, *store, watch);
                 costs[millions].push_back(told.figure / told.more.at("append_without_us"));
                 return told;
               };
             }});
  suite.add({.name = size.name() + "/check/growth",
             .unit = "of an append's CPU",
             .limit = "the same at the smallest size",
             .better = Better::kLower,
             .goal = ratio_of(1.2),
             .prepare = [&costs, millions = size.millions]() -> Measurement {
               if (!costs.contains(millions)) throw NotHere("the cost itself was not measured");
               if (median_of(costs.begin()->second) <= 0)
                 throw NotHere("the cost at the smallest size was too small to be measured");
               return [&costs, millions](Watch&) {
                 return Run{.figure = median_of(costs.at(millions)),
                            .limit = median_of(costs.begin()->second)};
               };
             },
             .runs = 1,
             .tries = 1});
}

}  // namespace esdb::bench
