#include "bench/read_cases.h"

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/append_limit.h"
#include "bench/append_load.h"
#include "bench/read_load.h"

namespace esdb::bench {
namespace {

// Of streams and tags that no query of the population finds.
constexpr std::uint64_t kFarNumber = std::uint64_t{1} << 48;

// The store and the file both in the page cache.
std::shared_ptr<Bench> warm_bench(const Where& where, Population& population) {
  auto bench = std::make_shared<Bench>(where, 1, population.directory());
  read_everything(bench->site.store()).value();
  read_bandwidth(bench->raw, PageCache::kWarm, {});
  return bench;
}

Measurement everything_once(const Where& where, Population& population) {
  auto bench = warm_bench(where, population);
  return [bench = std::move(bench)](Watch& watch) {
    watch.begin(bench->site.pids());
    const auto cached = read_bandwidth(bench->raw, PageCache::kWarm, scaled(kSecond / 4));
    Reads all;
    do {
      const auto reads = read_everything(bench->site.store()).value();
      all.events += reads.events;
      all.bytes += reads.bytes;
      all.taken += reads.taken;
    } while (all.taken < seconds(scaled(2 * kSecond)));
    const auto bytes_per_event = static_cast<double>(all.bytes) / static_cast<double>(all.events);
    watch.end();
    return Run{.figure = all.events_per_second(),
               .limit = cached / bytes_per_event,
               .more = {{"GB_per_s", static_cast<double>(all.bytes) / all.taken / 1e9}}};
  };
}

struct Selection {
  const char* name;
  Query (Population::*query)(std::mt19937_64&) const;
  std::uint64_t (Population::*least)() const;  // events that are found
};
constexpr Selection kShortStreams{"stream_of:10", &Population::short_stream,
                                  &Population::least_of_short_stream};
constexpr Selection kLongStreams{"stream_of:1000", &Population::long_stream,
                                 &Population::least_of_long_stream};
constexpr Selection kTags{"query:tag", &Population::tag, &Population::least_of_tag};
constexpr Selection kTagsAndTypes{"query:tag_and_type", &Population::tag_and_type,
                                  &Population::least_of_tag_and_type};

struct Plan {
  Selection selection;
  std::size_t readers = 1, in_flight = 0;
};

ReadLoad load_of(const Plan& plan, const Population& population) {
  return {.query = [query = plan.selection.query,
                    &population](std::mt19937_64& random) { return (population.*query)(random); },
          .readers = plan.readers,
          .in_flight = plan.in_flight,
          .least = (population.*plan.selection.least)(),
          .amount = for_time(scaled(2 * kSecond))};
}

// As many blocks out of the page cache as events are read.
double cached_events_per_second(const ZeroedFile& raw, std::size_t readers) {
  return random_reads({&raw.path(), 1}, readers, PageCache::kWarm, scaled(kSecond / 4)).per_second;
}

Measurement selective(const Where& where, const std::shared_ptr<Population>& population,
                      const Plan& plan) {
  auto bench = warm_bench(where, *population);
  auto warm_up = load_of(plan, *population);
  warm_up.amount = for_time(scaled(kSecond));
  run(bench->site.store(), warm_up).value();
  return [bench = std::move(bench), population, plan](Watch& watch) {
    watch.begin(bench->site.pids());
    const auto blocks = cached_events_per_second(bench->raw, plan.readers);
    const auto reads = run(bench->site.store(), load_of(plan, *population)).value();
    const auto per_read = static_cast<double>(reads.events) / static_cast<double>(reads.reads);
    watch.end();
    return Run{
        .figure = reads.reads_per_second(),
        .limit = blocks / per_read,
        .latencies = reads.latencies,
        .more = {{"events_per_read", per_read}, {"events_per_s", reads.events_per_second()}}};
  };
}

void add_selective(Suite& suite, const Where& where, const std::shared_ptr<Population>& population,
                   const Plan& plan, Goal goal = {}) {
  auto name = to_string(where) + "/" + plan.selection.name;
  name += plan.in_flight != 0 ? "/in_flight:" + std::to_string(plan.in_flight)
                              : "/readers:" + std::to_string(plan.readers);
  suite.add({.name = std::move(name),
             .unit = "reads/s",
             .limit = "as many random reads of 4 KiB out of the page cache as events",
             .goal = goal,
             .prepare = [where, population, plan] { return selective(where, population, plan); }});
}

// Readers of everything, again and again, as long as it lives.
class Readers {
 public:
  Readers(const std::vector<std::unique_ptr<EventStore>>& stores, std::size_t first) {
    for (auto at = first; at < stores.size(); ++at)
      threads_.emplace_back([this, &store = *stores[at]](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          auto cursor = store.read(everything());
          for (;;) {
            auto batch = cursor.next({.stop = stop});
            if (!batch || batch->finished()) break;
            events_ += batch->size();
          }
        }
      });
  }
  std::uint64_t events() const { return events_; }

 private:
  std::atomic<std::uint64_t> events_{0};
  std::vector<std::jthread> threads_;
};

Measurement beside_reads(const Where& where, const std::shared_ptr<Population>& population,
                         std::size_t in_flight) {
  constexpr std::size_t kReaders = 2;
  auto bench = warm_bench(where, *population);
  for (std::size_t i = 0; i < kReaders; ++i) bench->site.another();
  return [bench = std::move(bench), population, in_flight](Watch& watch) {
    const AppendLoad load{
        .shape = {.streams = 1'000, .first_stream = kFarNumber, .first_tag = kFarNumber},
        .in_flight = in_flight,
        .amount = for_time(scaled(2 * kSecond))};
    const auto& stores = bench->site.stores();
    watch.begin(bench->site.pids());
    const auto alone = run(*stores.front(), load).value();
    const auto begin = Clock::now();
    const Readers readers(stores, stores.size() > 1 ? 1 : 0);
    const auto beside = run(*stores.front(), load).value();
    const auto read = static_cast<double>(readers.events()) / seconds_since(begin);
    watch.end();
    return Run{.figure = beside.events_per_second(),
               .limit = alone.events_per_second(),
               .latencies = beside.latencies,
               .more = {{"alone_p50_us", alone.latencies.median()},
                        {"alone_p99_us", alone.latencies.percentile(0.99)},
                        {"read_events_per_s", read}}};
  };
}

}  // namespace

void add_reads(Suite& suite, const Where& where, const std::shared_ptr<Population>& population) {
  const bool is_unix = where.transport == Transport::kUnix;
  suite.add({.name = to_string(where) + "/read_everything",
             .unit = "events/s",
             .limit = "the same bytes out of the page cache, 1 MiB at a time",
             .goal = where.is_embedded() ? figure_of(8'000'000)
                     : is_unix           ? figure_of(4'000'000)
                                         : Goal{},
             .prepare = [where, population] { return everything_once(where, *population); }});
  add_selective(suite, where, population, {.selection = kShortStreams},
                where.is_embedded() ? figure_of(150'000) : Goal{});
  add_selective(suite, where, population, {.selection = kShortStreams, .in_flight = 64},
                is_unix ? figure_of(30'000) : Goal{});
  for (const auto& selection : {kLongStreams, kTags, kTagsAndTypes}) {
    add_selective(suite, where, population, {.selection = selection});
    add_selective(suite, where, population, {.selection = selection, .in_flight = 16});
  }
  if (where.is_embedded())
    for (const auto& selection : {kShortStreams, kTags, kTagsAndTypes})
      add_selective(suite, where, population, {.selection = selection, .readers = 16});
}

void add_appends_beside_reads(Suite& suite, const Where& where,
                              const std::shared_ptr<Population>& population) {
  for (const std::size_t in_flight : {1, 256})
    suite.add({.name = to_string(where) +
                       "/append_beside_readers:2/in_flight:" + std::to_string(in_flight),
               .unit = "events/s",
               .limit = "the same without readers",
               .prepare = [where, population, in_flight] {
                 return beside_reads(where, population, in_flight);
               }});
}

}  // namespace esdb::bench
