#include "protocol/wakeful_loop.h"

#include <sched.h>

#include <algorithm>

namespace esdb::protocol {

using std::chrono::steady_clock;

void Wakefulness::idled(std::chrono::nanoseconds time) {
  if (time < kAwake)
    credit_ = std::min(credit_ + 1, kCreditMost);
  else
    credit_ = std::min(credit_, credit_ / 2);
}

void Wakefulness::crowded() { credit_ = kCrowded; }

// Until something may have come: the loop was polled, and had nothing to do.
void WakefulLoop::idle(const Poll& is_done) {
  const auto since = steady_clock::now();
  auto until = wakefulness_.stays_awake() ? watch(is_done) : std::nullopt;
  if (!until) {
    ++sleeps_;
    loop_.unixEventPort.wait();
    until = steady_clock::now();
  }
  wakefulness_.idled(*until - since);
}

std::optional<steady_clock::time_point> WakefulLoop::watch(const Poll& is_done) {
  const auto before = arrivals_;
  auto now = steady_clock::now();
  for (const auto until = now + Wakefulness::kAwake; now < until;) {
    ::sched_yield();
    const auto back = steady_clock::now();
    const bool is_shared = back - now > Wakefulness::kShared;
    if (is_shared) wakefulness_.crowded();
    // Polled last of all: what it has not seen, the port still tells. What came is worked on there.
    if (is_done() || arrivals_ != before) return back;
    if (is_shared) break;
    now = steady_clock::now();
  }
  return std::nullopt;
}

}  // namespace esdb::protocol
