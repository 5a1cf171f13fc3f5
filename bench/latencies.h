// Latencies: how long each of many things took, as a full histogram.
//
// Buckets are log-linear, 128 to a power of two, from nanoseconds to 1,000 seconds: what is told is
// within half a per cent of what was measured, whatever the number of measurements, and histograms
// of several threads or runs add up. The longest is kept exactly.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace esdb::bench {

using Clock = std::chrono::steady_clock;

inline double seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}
inline double seconds_since(Clock::time_point begin) { return seconds(Clock::now() - begin); }

class Latencies {
 public:
  void add(std::chrono::nanoseconds latency);
  void merge(const Latencies& other);

  std::uint64_t count() const { return count_; }
  // What `share` of all do not exceed, in microseconds; 0 where there is none.
  double percentile(double share) const;
  double median() const { return percentile(0.5); }
  double max() const { return static_cast<double>(max_) / 1000; }

  // One line that from_text() reads back: between processes.
  std::string to_text() const;
  static Latencies from_text(std::string_view text);

 private:
  std::vector<std::uint64_t> buckets_;  // empty until the first
  std::uint64_t count_ = 0;
  std::uint64_t min_ = 0, max_ = 0;  // ns
};

}  // namespace esdb::bench
