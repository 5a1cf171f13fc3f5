// What esctl bench prints: a table and what it rests on, or one JSON object.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "tools/bench_measures.h"
#include "tools/bench_place.h"
#include "tools/command.h"

namespace esdb::tools {

// Under which conditions the figures hold.
struct BenchConditions {
  const BenchPlace& place;
  std::string io{};       // how the store writes: Statistics::io
  std::string streams{};  // the prefix of what was written
  std::size_t data_bytes{};
  std::chrono::duration<double> taken{};
};

// "1.23 M", "45.6 k", "812"; "84.2 us", "1.02 ms", "2.50 s".
std::string human_number(double number);
std::string human_time(double us);

void print_bench(const BenchFigures& figures, const BenchConditions& conditions,
                 const Invocation& invocation);

}  // namespace esdb::tools
