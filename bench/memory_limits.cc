#include "bench/memory_limits.h"

#include <xxhash.h>

#include <cstring>

#include "bench/disk_limits.h"

namespace esdb::bench {

double checksum_ns(Clock::duration time) {
  constexpr std::size_t kBytes = 256, kPieces = 64;
  const TouchedMemory memory(kBytes * kPieces);
  std::uint64_t sum = 0;
  std::size_t count = 0;
  const auto begin = Clock::now();
  do {
    for (std::size_t round = 0; round < 100; ++round)
      for (std::size_t piece = 0; piece < kPieces; ++piece)
        sum += XXH3_64bits(memory.data() + piece * kBytes, kBytes);
    count += 100 * kPieces;
  } while (Clock::now() - begin < time);
  const auto taken = seconds_since(begin);
  std::memcpy(memory.data(), &sum, sizeof sum);  // so that the sums are wanted
  return taken / static_cast<double>(count) * 1e9;
}

double copy_bandwidth(Clock::duration time) {
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  const TouchedMemory from(kBytes), to(kBytes);
  std::size_t copied = 0;
  const auto begin = Clock::now();
  do {
    std::memcpy(to.data(), from.data(), kBytes);
    copied += kBytes;
    from.data()[copied % kBytes] = to.data()[kBytes - 1];  // so that the copy is wanted
  } while (Clock::now() - begin < time);
  return static_cast<double>(copied) / seconds_since(begin);
}

}  // namespace esdb::bench
