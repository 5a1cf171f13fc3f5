// What a socket gives to two processes that answer each other: the denominator of a server's calls.
#pragma once

#include "bench/latencies.h"
#include "bench/placement.h"

namespace esdb::bench {

enum class Transport { kUnix, kTcp };

inline std::string_view to_string(Transport transport) {
  return transport == Transport::kUnix ? "unix" : "tcp";
}

// Round trips of 256 bytes between this process and one of its own, blocking reads and writes, one
// after another.
Latencies echoes(Transport transport, Placement placement, Clock::duration time);

}  // namespace esdb::bench
