// Amounts: how much a load does, and how far it has come.
#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>

#include "bench/latencies.h"

namespace esdb::bench {

// How much: until one of the two is used up, 0 being no bound, or until somebody stops it, who then
// has what was done until there.
struct Amount {
  Clock::duration time{};
  std::uint64_t count = 0;
  std::stop_token stop{};
};
inline Amount for_time(Clock::duration time) { return {.time = time}; }
inline Amount so_many(std::uint64_t count) { return {.count = count}; }

// What of an amount is left, for all who share in it.
//
// Threads: any, behind begin().
class Budget {
 public:
  explicit Budget(const Amount& amount) : amount_(amount) { begin(); }
  // The time runs from here, where it is not to run from the start.
  void begin() { begin_ = Clock::now(); }

  // Whether one more is to be made. The first of each who shares in it is, unless it was stopped.
  bool take(bool is_first, Clock::time_point now) {
    if (amount_.stop.stop_requested()) return false;
    const bool in_count =
        amount_.count == 0 || taken_.fetch_add(1, std::memory_order_relaxed) < amount_.count;
    const bool in_time = amount_.time.count() == 0 || now - begin_ < amount_.time;
    return is_first || (in_count && in_time);
  }
  double taken() const { return seconds_since(begin_); }

 private:
  const Amount amount_;
  Clock::time_point begin_{};
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace esdb::bench
