#include <string>
#include <thread>
#include <utility>

#include "bench/append_cases.h"
#include "bench/append_load.h"
#include "bench/delivery_load.h"

namespace esdb::bench {
namespace {

Measurement deliveries(const Where& where, std::size_t load_in_flight) {
  auto site = std::make_shared<Site>(where);
  auto& subscriber = site->another();
  auto& background = site->another();
  return [site = std::move(site), &subscriber, &background, load_in_flight](Watch& watch) {
    const auto time = scaled(3 * kSecond);
    watch.begin(site->pids());
    Result<Appends> beside;
    std::jthread load;
    if (load_in_flight > 0) {
      load = std::jthread([&background, load_in_flight, time, &beside] {
        beside = run(
            background,
            {.shape = {.streams = 1'000}, .in_flight = load_in_flight, .amount = for_time(time)});
      });
    }
    const auto pause = std::chrono::milliseconds(load_in_flight > 0 ? 2 : 1);
    auto told = run(site->store(), subscriber, {.pause = pause, .amount = for_time(time)}).value();
    if (load.joinable()) load.join();
    watch.end();
    Run result{.figure = told.deliveries.median(),
               .limit = told.appends.median(),
               .latencies = told.deliveries,
               .is_one_at_a_time = true};
    result.more["append_p99_us"] = told.appends.percentile(0.99);
    result.more["beyond_append_us"] = told.deliveries.median() - told.appends.median();
    if (load_in_flight > 0) result.more["load_per_s"] = beside.value().events_per_second();
    return result;
  };
}

}  // namespace

void add_deliveries(Suite& suite, const Where& where) {
  for (const std::size_t load_in_flight : {0, 16, 256})
    suite.add(
        {.name = to_string(where) + "/append_to_delivery/load:" + std::to_string(load_in_flight),
         .unit = "us",
         .limit = "the median of the same appends' own answers",
         .better = Better::kLower,
         .goal = load_in_flight == 0 && where.transport != Transport::kTcp ? excess_of(60) : Goal{},
         .prepare = [where, load_in_flight] { return deliveries(where, load_in_flight); }});
}

}  // namespace esdb::bench
