#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/read_load.h"
#include "bench/site.h"
#include "bench/size_cases.h"

namespace esdb::bench {
namespace {

constexpr double kMiB = 1 << 20;
constexpr double kMemoryMiB = kMemoryDefault / kMiB;
constexpr std::size_t kSubscribers = 100;

double anonymous_mib(const Site& site) {
  return static_cast<double>(site.server().anonymous_bytes()) / kMiB;
}

Run after_reads(SizedStore& sized) {
  const Site site({.transport = Transport::kUnix}, 1, sized.directory());
  run(site.store(), {.query = [queries = sized.queries()](
                                  std::mt19937_64& random) { return queries.a_tag(random, ~0ULL); },
                     .in_flight = 16,
                     .least = 0,
                     .amount = for_time(scaled(5 * kSecond))})
      .value();
  const auto mib = anonymous_mib(site);
  return {.figure = mib,
          .more = {{"MiB_per_million", mib / (static_cast<double>(sized.events()) / 1e6)}}};
}

// Live subscribers to everything, each on a connection of its own.
class Subscribers {
 public:
  explicit Subscribers(Site& site) {
    for (std::size_t i = 0; i < kSubscribers; ++i)
      cursors_.push_back(site.another().subscribe(everything(), Start::end()));
    for (auto& cursor : cursors_) next(cursor);
  }
  std::uint64_t events() const { return events_; }

 private:
  // Ends when the cursor does, and with an error: of a server that is too busy, that is its answer.
  void next(Cursor& cursor) {
    cursor.next({}, [this, &cursor](Result<Batch> batch) {
      if (!batch) return;
      events_ += batch->size();
      next(cursor);
    });
  }

  std::atomic<std::uint64_t> events_{0};
  std::vector<Cursor> cursors_;
};

Run under_load(SizedStore& sized, Watch& watch) {
  Site site({.transport = Transport::kUnix}, 1, sized.directory());
  const Subscribers subscribers(site);
  const auto time = scaled(20 * kSecond);
  double most = 0;
  std::atomic<bool> done = false;
  Result<Appends> appends;
  watch.begin(site.pids());
  {
    const std::jthread load([&] {
      appends =
          run(site.store(), {.shape = sized.shape(), .in_flight = 256, .amount = for_time(time)});
      done = true;
    });
    while (!done) {
      most = std::max(most, anonymous_mib(site));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  watch.end();
  const auto& written = appends.value();
  return {.figure = most,
          .latencies = written.latencies,
          .more = {{"appends_per_s", written.appends_per_second()},
                   {"delivered_per_s", static_cast<double>(subscribers.events()) / written.taken}}};
}

}  // namespace

void add_memory(Suite& suite, const Size& size) {
  suite.add({.name = size.name() + "/server_memory/after_reads",
             .unit = "MiB",
             .better = Better::kLower,
             .goal = figure_of(kMemoryMiB),
             .prepare = [store = size.store]() -> Measurement {
               return [store](Watch&) { return after_reads(*store); };
             },
             .runs = 1,
             .tries = 1});
  suite.add({.name = size.name() + "/server_memory/subscribers:100",
             .unit = "MiB",
             .better = Better::kLower,
             .goal = figure_of(kMemoryMiB),
             .prepare = [store = size.store]() -> Measurement {
               store->directory();
               return [store](Watch& watch) { return under_load(*store, watch); };
             },
             .runs = 1,
             .tries = 1});
}

}  // namespace esdb::bench
