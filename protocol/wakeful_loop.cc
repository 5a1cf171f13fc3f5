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
  if (!wakefulness_.stays_awake() || !watch(is_done)) {
    ++sleeps_;
    loop_.unixEventPort.wait();
  }
  wakefulness_.idled(steady_clock::now() - since);
}

bool WakefulLoop::watch(const Poll& is_done) {
  const auto before = arrivals_;
  auto now = steady_clock::now();
  for (const auto until = now + Wakefulness::kAwake; now < until;) {
    ::sched_yield();
    const auto back = steady_clock::now();
    // Polled last of all: what it has not seen, the port still tells.
    if (is_done() || arrivals_ != before) return true;
    if (back - now > Wakefulness::kShared) {
      wakefulness_.crowded();
      return false;
    }
    now = steady_clock::now();
  }
  return false;
}

}  // namespace esdb::protocol
