// Samples of one measured quantity, and what is told of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace esdb::bench {

using Clock = std::chrono::steady_clock;

inline double microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

class Samples {
 public:
  void add(Clock::duration duration) { us_.push_back(microseconds(duration)); }
  // The value that `share` of all samples do not exceed, in microseconds.
  double percentile(double share) {
    if (us_.empty()) return 0;
    const auto rank =
        std::min(us_.size() - 1, static_cast<std::size_t>(share * static_cast<double>(us_.size())));
    std::nth_element(us_.begin(), us_.begin() + static_cast<std::ptrdiff_t>(rank), us_.end());
    return us_[rank];
  }
  double median() { return percentile(0.5); }
  std::size_t size() const { return us_.size(); }

 private:
  std::vector<double> us_;
};

}  // namespace esdb::bench
