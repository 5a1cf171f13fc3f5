#include <string>
#include <utility>

#include "bench/child.h"
#include "bench/read_load.h"
#include "bench/size_cases.h"

namespace esdb::bench {
namespace {

struct Selection {
  const char* name;
  Query (SizedQueries::*query)(std::mt19937_64&, std::uint64_t) const;
};
constexpr Selection kSelections[] = {{"stream", &SizedQueries::a_stream},
                                     {"query:tag", &SizedQueries::a_tag},
                                     {"query:tag_and_type", &SizedQueries::a_tag_and_type}};

ReadLoad warm_load(const SizedStore& sized, const Selection& selection, std::size_t readers) {
  return {.query =
              [queries = sized.queries(), query = selection.query](std::mt19937_64& random) {
                return (queries.*query)(random, SizedQueries::kWarm);
              },
          .readers = readers,
          .least = 0,  // streams are chosen at random: some may be empty
          .amount = for_time(scaled(2 * kSecond))};
}

Measurement warm(SizedStore& sized, const Selection& selection, std::size_t readers) {
  auto store = std::shared_ptr<EventStore>(sized.open());
  auto load = warm_load(sized, selection, readers);
  auto warm_up = load;
  warm_up.amount = for_time(scaled(4 * kSecond));
  run(*store, warm_up).value();
  return [store = std::move(store), load](Watch& watch) {
    watch.begin();
    const auto reads = run(*store, load).value();
    watch.end();
    return Run{.figure = reads.reads_per_second(),
               .latencies = reads.latencies,
               .more = {{"events_per_s", reads.events_per_second()}}};
  };
}

// Of the store and its index, a tenth; and what the process itself needs.
std::size_t memory_of_cold_reads(SizedStore& sized) {
  const auto bytes = disk_bytes(sized.directory()).both();
  return (std::size_t{128} << 20) + static_cast<std::size_t>(bytes / 10);
}

ChildReport report_of(std::string part, SizedStore& sized, Watch& watch) {
  const ChildOrder order{.part = std::move(part),
                         .directory = sized.directory(),
                         .events = sized.events(),
                         .memory = memory_of_cold_reads(sized)};
  watch.begin();
  auto report = run_child(order);
  watch.end();
  return report;
}

Run cold(SizedStore& sized, Watch& watch) {
  const auto report = report_of("read_cold", sized, watch);
  return {.figure = report.figures.at("events_per_s"),
          .limit = report.figures.at("device_per_s"),
          .latencies = report.latencies.at("reads"),
          .more = {{"reads_per_s", report.figures.at("reads_per_s")}}};
}

Run appends_beside_cold_reads(SizedStore& sized, Watch& watch) {
  const auto report = report_of("append_beside_cold_reads", sized, watch);
  const auto& alone = report.latencies.at("alone");
  const auto& beside = report.latencies.at("beside");
  return {.figure = beside.percentile(0.99),
          .limit = alone.percentile(0.99),
          .latencies = beside,
          .more = {{"alone_p50_us", alone.median()},
                   {"reads_per_s", report.figures.at("reads_per_s")}}};
}

}  // namespace

void add_sized_reads(Suite& suite, const Size& size) {
  for (const auto& selection : kSelections)
    for (const std::size_t readers : {1, 16})
      suite.add(
          {.name = size.name() + "/warm/" + selection.name + "/readers:" + std::to_string(readers),
           .unit = "reads/s",
           .prepare = [store = size.store, selection, readers] {
             return warm(*store, selection, readers);
           }});
  suite.add({.name = size.name() + "/cold/query:tag/readers:16",
             .unit = "events/s",
             .limit = "random direct reads of 4 KiB of the same log, by 16, 64 or 256 readers",
             .goal = ratio_of(0.5),
             .prepare = [store = size.store]() -> Measurement {
               return [store](Watch& watch) { return cold(*store, watch); };
             }});
  suite.add({.name = size.name() + "/append_p99/beside_cold_readers:16",
             .unit = "us",
             .limit = "the 99th percentile of the same appends, undisturbed",
             .better = Better::kLower,
             .goal = ratio_of(3),
             .prepare = [store = size.store]() -> Measurement {
               return [store](Watch& watch) { return appends_beside_cold_reads(*store, watch); };
             }});
}

}  // namespace esdb::bench
