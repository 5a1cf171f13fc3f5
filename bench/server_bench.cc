// esdb-server in a process of its own, over its Unix socket, beside the machine's limits in the
// same run: a bare durable write, and an echo over a Unix socket, with the busy neighbour where a
// row has one.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "bench/appends.h"
#include "bench/limits.h"
#include "bench/neighbour.h"
#include "bench/process.h"
#include "bench/scratch.h"
#include "esdb/event_store.h"

namespace esdb::bench {
namespace {

constexpr std::size_t kDataBytes = 256;

// One client, one append of one event at a time.
void server_one_in_flight(benchmark::State& state) {
  const Scratch scratch;
  const ServerProcess server(scratch.path("store"), scratch.path("socket"));
  auto store = open("unix:" + scratch.path("socket")).value();
  const auto count = scaled(5'000);
  const auto neighbour = neighbour_of(state.range(0));
  for (auto _ : state) {
    auto raw = raw_durable_writes(scratch.path(), count);
    auto echo = raw_echo(count);
    Samples ours;
    for (std::size_t i = 0; i < count; ++i) {
      auto append = append_of(i, 1, 100, kDataBytes);
      const auto begin = Clock::now();
      store->append(std::move(append)).value();
      ours.add(Clock::now() - begin);
    }
    state.counters["p50_us"] = ours.median();
    state.counters["p99_us"] = ours.percentile(0.99);
    state.counters["raw_us"] = raw.median() + echo.median();
    state.counters["ratio"] = ours.median() / (raw.median() + echo.median());
  }
}
BENCHMARK(server_one_in_flight)
    ->ArgName("neighbour")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

// One connection, so many appends in flight.
void server_in_flight(benchmark::State& state) {
  const Scratch scratch;
  const ServerProcess server(scratch.path("store"), scratch.path("socket"));
  auto store = open("unix:" + scratch.path("socket")).value();
  const auto count = scaled(100'000);
  const auto neighbour = neighbour_of(state.range(1));
  tell_limits(state, scratch.path());
  for (auto _ : state) {
    keep_in_flight(*store, count, static_cast<std::size_t>(state.range(0)),
                   [](std::size_t i) { return append_of(i, 1, 1'000, kDataBytes); });
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(count) * state.iterations());
}
BENCHMARK(server_in_flight)
    ->ArgNames({"window", "neighbour"})
    ->ArgsProduct({{256}, {0, 1}})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// Everything through the socket, by a reader that sums lengths and checks every version.
void server_read_everything(benchmark::State& state) {
  const Scratch scratch;
  const ServerProcess server(scratch.path("store"), scratch.path("socket"));
  auto store = open("unix:" + scratch.path("socket")).value();
  const auto appends = scaled(2'000);
  keep_in_flight(*store, appends, 16,
                 [](std::size_t i) { return append_of(i * 512, 512, 1'000, kDataBytes); });
  const auto neighbour = neighbour_of(state.range(0));
  tell_limits(state, scratch.path());
  for (auto _ : state) {
    std::uint64_t bytes = 0;
    std::map<std::string, std::uint64_t, std::less<>> versions;
    auto read = store->for_each(everything(), {}, [&](RecordedEvent e) {
      bytes += e.data().size();
      auto at = versions.find(e.stream());
      if (at == versions.end()) at = versions.emplace(e.stream(), 0).first;
      if (e.version().value != ++at->second) std::abort();
    });
    if (!read) state.SkipWithError(read.error().message.c_str());
    benchmark::DoNotOptimize(bytes);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(appends * 512) * state.iterations());
}
BENCHMARK(server_read_everything)
    ->ArgName("neighbour")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// The history imported by esctl, 500 events an append. Argument: through a server, or into a
// directory. ESDB_BENCH_HISTORY names the file.
void import_history(benchmark::State& state) {
  const char* history = std::getenv("ESDB_BENCH_HISTORY");
  if (history == nullptr || !std::filesystem::exists(history))
    return state.SkipWithError("ESDB_BENCH_HISTORY names no file");
  const bool served = state.range(0) != 0;
  std::uint64_t events = 0;
  for (auto _ : state) {
    const Scratch scratch;
    std::unique_ptr<ServerProcess> server;
    if (served)
      server = std::make_unique<ServerProcess>(scratch.path("store"), scratch.path("socket"));
    const auto neighbour = neighbour_of(state.range(1));
    tell_limits(state, scratch.path());
    const std::string url = served ? "unix:" + scratch.path("socket") : scratch.path("store");
    const auto begin = Clock::now();
    Process import({ESCTL_PROGRAM, "--store", url, "import", history, "--commit-size", "500"});
    import.wait_for_success("esctl import");
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - begin).count());
    events += open(url).value()->statistics().value().events;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}
BENCHMARK(import_history)
    ->ArgNames({"served", "neighbour"})
    ->ArgsProduct({{1, 0}, {0, 1}})
    ->Iterations(3)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// The server's anonymous memory, at most, while the history is imported and ten subscribers take a
// batch of it now and then; `memory` at 256 MiB.
void memory_under_import(benchmark::State& state) {
  const char* history = std::getenv("ESDB_BENCH_HISTORY");
  if (history == nullptr || !std::filesystem::exists(history))
    return state.SkipWithError("ESDB_BENCH_HISTORY names no file");
  for (auto _ : state) {
    const Scratch scratch;
    const auto url = "unix:" + scratch.path("socket");
    const ServerProcess server(scratch.path("store"), scratch.path("socket"),
                               {"--memory", "256MiB"});
    std::vector<std::jthread> slow;
    for (int i = 0; i < 10; ++i)
      slow.emplace_back([&](const std::stop_token& stop) {
        auto store = open(url).value();
        auto cursor = store->subscribe(everything());
        while (!stop.stop_requested()) {
          if (auto batch = cursor.next({.wait = std::chrono::milliseconds(200), .stop = stop});
              !batch)
            return;
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
      });
    std::atomic<bool> done = false;
    std::size_t most = 0;
    std::jthread watch([&] {
      while (!done) {
        most = std::max(most, server.anonymous_bytes());
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
    Process import(
        {ESCTL_PROGRAM, "--store", url, "import", history, "--commit-by", "correlationId"});
    import.wait_for_success("esctl import");
    std::this_thread::sleep_for(std::chrono::seconds(3));  // the index commits meanwhile
    done = true;
    watch.join();
    for (auto& subscriber : slow) subscriber.request_stop();
    state.counters["RssAnon_MiB"] = static_cast<double>(most) / (1024 * 1024);
  }
}
BENCHMARK(memory_under_import)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace esdb::bench

BENCHMARK_MAIN();
