// What one core does with memory: the denominators of checksums and copies.
#pragma once

#include "bench/latencies.h"

namespace esdb::bench {

// Nanoseconds of XXH3-64 over 256 bytes that lie in the cache.
double checksum_ns(Clock::duration time);
// Bytes a second of memcpy, 64 MiB at a time: out of memory, into memory.
double copy_bandwidth(Clock::duration time);

}  // namespace esdb::bench
