// The engine in this process, beside the machine's own limits in the same run.
//
// raw_us is the median of a bare durable 4 KiB write made just before, ratio is ours over it, and
// echo_us the median of a round trip between two threads. They are measured with the busy neighbour
// where a row has one: what is compared had the same company.
#include <benchmark/benchmark.h>

#include <optional>

#include "bench/appends.h"
#include "bench/limits.h"
#include "bench/neighbour.h"
#include "bench/scratch.h"
#include "esdb/event_store.h"

namespace esdb::bench {
namespace {

constexpr std::size_t kDataBytes = 256;

void tell(benchmark::State& state, Samples& ours, Samples& raw) {
  state.counters["p50_us"] = ours.median();
  state.counters["p99_us"] = ours.percentile(0.99);
  state.counters["raw_us"] = raw.median();
  state.counters["ratio"] = ours.median() / raw.median();
}

// One caller, one event an append, its stream's version checked. Argument: a busy neighbour or
// none.
void one_caller_one_event(benchmark::State& state) {
  const Scratch scratch;
  auto store = open(scratch.path("store")).value();
  const auto neighbour = neighbour_of(state.range(0));
  const auto count = scaled(5'000);
  for (auto _ : state) {
    auto raw = raw_durable_writes(scratch.path(), count);
    Samples ours;
    Version version = store->stream_info("account-0").value().version;
    for (std::size_t i = 0; i < count; ++i) {
      auto append =
          append_of(0, 1, 1, kDataBytes, {Check::stream("account-0", Expect::exactly(version))});
      const auto begin = Clock::now();
      version = store->append(std::move(append)).value().version();
      ours.add(Clock::now() - begin);
    }
    tell(state, ours, raw);
  }
}
BENCHMARK(one_caller_one_event)
    ->ArgName("neighbour")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

// So many appends of one event in flight, over 1,000 streams. Counts events a second.
void appends_in_flight(benchmark::State& state) {
  const Scratch scratch;
  auto store = open(scratch.path("store")).value();
  const auto window = static_cast<std::size_t>(state.range(0));
  const auto count = scaled(500'000);
  const auto neighbour = neighbour_of(state.range(1));
  tell_limits(state, scratch.path());
  for (auto _ : state) {
    keep_in_flight(*store, count, window,
                   [](std::size_t i) { return append_of(i, 1, 1'000, kDataBytes); });
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(count) * state.iterations());
}
BENCHMARK(appends_in_flight)
    ->ArgNames({"window", "neighbour"})
    ->ArgsProduct({{256, 1024}, {0, 1}})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// 512 events an append, 16 appends in flight, over so many streams.
void bulk(benchmark::State& state) {
  const Scratch scratch;
  auto store = open(scratch.path("store")).value();
  const auto streams = static_cast<std::size_t>(state.range(0));
  const auto appends = scaled(4'000);
  const auto neighbour = neighbour_of(state.range(1));
  tell_limits(state, scratch.path());
  for (auto _ : state) {
    keep_in_flight(*store, appends, 16, [&](std::size_t i) {
      return append_of(i * 512 * 7919, 512, streams, kDataBytes);
    });
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(appends * 512) * state.iterations());
}
BENCHMARK(bulk)
    ->ArgNames({"streams", "neighbour"})
    ->ArgsProduct({{1, 100'000}, {0, 1}})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// Everything, once, lengths summed.
void read_everything(benchmark::State& state) {
  const Scratch scratch;
  auto store = open(scratch.path("store")).value();
  const auto appends = scaled(2'000);
  keep_in_flight(*store, appends, 16,
                 [](std::size_t i) { return append_of(i * 512, 512, 1'000, kDataBytes); });
  const auto neighbour = neighbour_of(state.range(0));
  tell_limits(state, scratch.path());
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    auto read =
        store->for_each(everything(), {}, [&](RecordedEvent e) { bytes += e.data().size(); });
    if (!read) state.SkipWithError(read.error().message.c_str());
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(static_cast<std::int64_t>(appends * 512) * state.iterations());
}
BENCHMARK(read_everything)
    ->ArgName("neighbour")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// A store is open when the first conditional append is acknowledged and the first selective read
// answered. Argument: millions of events.
void open_until_ready(benchmark::State& state) {
  const Scratch scratch;
  const auto appends = scaled(static_cast<std::size_t>(state.range(0)) * 1'000'000 / 512);
  {
    auto store = open(scratch.path("store")).value();
    keep_in_flight(*store, appends, 16,
                   [](std::size_t i) { return append_of(i * 512, 512, 100'000, 64); });
  }
  const auto neighbour = neighbour_of(state.range(1));
  tell_limits(state, scratch.path());
  for (auto _ : state) {
    auto store = open(scratch.path("store")).value();
    const auto version = store->stream_info("account-7").value().version;
    store->append("account-7", Expect::exactly(version), {{.type = "Opened", .data = "{}"}})
        .value();
    auto read = store->read(stream("account-7"), {.limit = 10}).next();
    if (!read || read->empty()) state.SkipWithError("the stream was not found");
    state.PauseTiming();
    store.reset();
    state.ResumeTiming();
  }
  state.counters["events"] = static_cast<double>(appends * 512);
}
BENCHMARK(open_until_ready)
    ->ArgNames({"millions", "neighbour"})
    ->ArgsProduct({{1, 10}, {0, 1}})
    ->Iterations(5)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace esdb::bench

BENCHMARK_MAIN();
