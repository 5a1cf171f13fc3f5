// What this machine can do at best, measured in the run that uses it: the denominators.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

#include "bench/samples.h"

namespace esdb::bench {

// Durable writes of one 4 KiB block one after another, as the log makes them: O_DIRECT and
// RWF_DSYNC into preallocated, zeroed space of a file in `directory`.
Samples raw_durable_writes(const std::string& directory, std::size_t count);

// Round trips of 256 bytes over a Unix socket between two threads, blocking reads and writes.
Samples raw_echo(std::size_t count);

// Tells both medians beside what a benchmark counts: raw_us and echo_us.
void tell_limits(benchmark::State& state, const std::string& directory);

}  // namespace esdb::bench
