// The limit of an append load: the same bytes as bare durable writes, all that is in flight in one
// write, at most a frame, and one write after another.
#pragma once

#include <cstddef>

#include "bench/append_load.h"
#include "bench/disk_limits.h"

namespace esdb::bench {

struct AppendLimit {
  Latencies writes{};
  double events_per_second = 0;
};

// `in_flight`: appends, of all connections together.
AppendLimit append_limit(const ZeroedFile& file, const Shape& shape, std::size_t in_flight,
                         Clock::duration time);

}  // namespace esdb::bench
