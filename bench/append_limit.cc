#include "bench/append_limit.h"

#include <algorithm>

namespace esdb::bench {

AppendLimit append_limit(const ZeroedFile& file, const Shape& shape, std::size_t in_flight,
                         Clock::duration time) {
  constexpr std::size_t kFrameBytes = std::size_t{1} << 20;
  const auto bytes = encoded_bytes(shape);
  const auto together = std::clamp<std::size_t>(kFrameBytes / bytes, 1, in_flight);
  const auto begin = Clock::now();
  AppendLimit limit{.writes = durable_writes(file, together * bytes, time)};
  limit.events_per_second =
      static_cast<double>(limit.writes.count() * together * shape.events) / seconds_since(begin);
  return limit;
}

}  // namespace esdb::bench
