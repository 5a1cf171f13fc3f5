// Limits: what this machine does at best, measured when it is asked: the denominators of every
// ratio.
#pragma once

#include <string>
#include <vector>

#include "bench/latencies.h"

namespace esdb::bench {

struct Limit {
  std::string name;
  double value = 0;
  std::string unit;       // "us", "GB/s", "reads/s"
  Latencies latencies{};  // where it is about single calls
};

// All of them on the disk that holds `directory`, each for `time`; takes `space` bytes there
// meanwhile.
std::vector<Limit> measure_limits(const std::string& directory, std::size_t space,
                                  Clock::duration time);

}  // namespace esdb::bench
