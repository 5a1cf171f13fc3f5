#include "bench/suite.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <exception>
#include <utility>

#include "bench/authors.h"
#include "bench/reporter.h"

namespace esdb::bench {
namespace {

// A ratio is judged as it is shown: the middle one of the runs', each of one and the same run.
bool is_reached(const Case& one, const Repeated& repeated) {
  const auto figure = repeated.figure();
  const double value = one.goal.of == Goal::Of::kRatio    ? repeated.ratio()
                       : one.goal.of == Goal::Of::kExcess ? figure - repeated.limit()
                                                          : figure;
  return one.better == Better::kHigher ? value >= one.goal.bound : value <= one.goal.bound;
}

std::string label_of(const Case& one) {
  auto label = one.unit + ", " + (one.better == Better::kHigher ? "higher" : "lower") +
               " is better; limit: " + (one.limit.empty() ? "none" : one.limit);
  if (one.goal.of == Goal::Of::kNothing) return label;
  label += one.goal.of == Goal::Of::kRatio    ? "; goal: ratio "
           : one.goal.of == Goal::Of::kExcess ? "; goal: figure - limit "
                                              : "; goal: figure ";
  label += one.better == Better::kHigher ? "at least " : "at most ";
  return label + amount_text(one.goal.bound);
}

void tell(benchmark::State& state, const Case& one, const Repeated& repeated) {
  for (const auto& [name, value] : repeated.more()) state.counters[name] = value;
  state.counters["figure"] = repeated.figure();
  state.counters["limit"] = repeated.limit();
  state.counters["ratio"] = repeated.ratio();
  state.counters["goal"] = one.goal.bound;
  if (one.goal.of != Goal::Of::kNothing)
    state.counters["reached"] = is_reached(one, repeated) ? 1 : 0;
  if (const auto latencies = repeated.latencies(); latencies.count() > 0) {
    state.counters["p50_us"] = latencies.median();
    state.counters["p99_us"] = latencies.percentile(0.99);
    state.counters["p999_us"] = latencies.percentile(0.999);
    state.counters["max_us"] = latencies.max();
  }
  state.counters["runs"] = static_cast<double>(repeated.runs.size());
  state.counters["discarded"] = static_cast<double>(repeated.discarded);
  state.counters["disturbed"] = repeated.disturbed ? 1 : 0;
  state.counters["others"] = repeated.others;
  state.SetLabel(label_of(one));
}

// False: it failed.
bool run_case(benchmark::State& state, const Case& one) {
  // A smoke run says nothing about speed: once is enough.
  const Patience patience = {.runs = is_smoke_run() ? 1 : one.runs,
                             .tries = is_smoke_run()  ? 1
                                      : one.tries > 0 ? one.tries
                                                      : one.runs * 3};
  for (auto _ : state) {
    try {
      const auto begin = Clock::now();
      const auto measure = one.prepare();
      tell(state, one, repeat(measure, patience));
      state.SetIterationTime(seconds_since(begin));
    } catch (const NotHere& why) {
      state.SkipWithError(why.what());
    } catch (const std::exception& failure) {
      state.SkipWithError(failure.what());
      std::fprintf(stderr, "%s: %s\n", one.name.c_str(), failure.what());
      return false;
    }
  }
  return true;
}

}  // namespace

int Suite::run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("scale", std::to_string(scale()));
  benchmark::AddCustomContext("seed", std::to_string(kSeed));
  for (const auto& one : cases_)
    benchmark::RegisterBenchmark(one.name.c_str(),
                                 [this, &one](benchmark::State& state) {
                                   if (failed_)
                                     state.SkipWithError("a case before it failed");
                                   else
                                     failed_ = !run_case(state, one);
                                 })
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  Reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return failed_ ? 1 : 0;
}

}  // namespace esdb::bench
