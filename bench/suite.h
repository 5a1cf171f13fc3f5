// A suite: cases, each a figure beside what the machine does at best, run until the machine was
// quiet.
//
// Google Benchmark registers, filters and writes them (--benchmark_filter, --benchmark_out); how
// often a case runs and what counts is decided here (quiet.h). Counters of every case: figure,
// limit, ratio (figure / limit, whatever is better), goal (0: none), reached, p50_us, p99_us,
// p999_us, max_us, runs, discarded, disturbed, others. Its label says what they mean.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/quiet.h"
#include "bench/scratch.h"

namespace esdb::bench {

enum class Better : std::uint8_t { kHigher, kLower };

struct Goal {
  enum class Of : std::uint8_t { kNothing, kFigure, kRatio, kExcess };  // excess: figure - limit
  Of of = Of::kNothing;
  double bound = 0;
};
inline Goal figure_of(double bound) { return {Goal::Of::kFigure, bound}; }
inline Goal ratio_of(double bound) { return {Goal::Of::kRatio, bound}; }
inline Goal excess_of(double bound) { return {Goal::Of::kExcess, bound}; }

using Measurement = std::function<Run(Watch&)>;

struct Case {
  std::string name;
  std::string unit;     // of the figure and the limit
  std::string limit{};  // what the limit is; empty: there is none
  Better better = Better::kHigher;
  Goal goal{};
  // Sets up what every run of the case works on. A run takes the watch's begin() where measuring
  // begins.
  std::function<Measurement()> prepare;
  std::size_t runs = 3;
  std::size_t tries = 0;  // 0: three times as many
};

// Thrown by prepare() or a run: the case cannot be measured here, and why.
struct NotHere : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Suite {
 public:
  void add(Case one) { cases_.push_back(std::move(one)); }
  // Runs what the command line asks for, and gives main()'s answer. A case that fails ends it: what
  // was measured behind it would not be believed.
  int run(int argc, char** argv);

 private:
  std::vector<Case> cases_;
  bool failed_ = false;
};

}  // namespace esdb::bench
