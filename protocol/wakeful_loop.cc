#include "protocol/wakeful_loop.h"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace esdb::protocol {
namespace {

using std::chrono::steady_clock;

}  // namespace

void Wakefulness::slept(std::chrono::nanoseconds time) {
  if (time < kAwake)
    credit_ = std::min(credit_ + 1, kCreditMost);
  else
    credit_ = std::min(credit_, 0);
}

void Wakefulness::watched(bool in_vain) { credit_ = in_vain ? credit_ / 2 : kCreditMost; }

void Wakefulness::crowded() { credit_ = kCrowded; }

bool WakefulLoop::watch() {
  if (!wakefulness_.stays_awake()) return false;
  const auto before = arrivals_;
  auto now = steady_clock::now();
  for (const auto until = now + Wakefulness::kAwake; now < until;) {
    ::sched_yield();
    const auto then = std::exchange(now, steady_clock::now());
    loop_.waitScope.poll();
    if (arrivals_ != before) {
      wakefulness_.watched(false);
      return true;
    }
    if (now - then > Wakefulness::kShared) {
      wakefulness_.crowded();
      return false;
    }
  }
  wakefulness_.watched(true);
  return false;
}

void WakefulLoop::sleep() {
  const auto before = steady_clock::now();
  loop_.unixEventPort.wait();
  wakefulness_.slept(steady_clock::now() - before);
}

}  // namespace esdb::protocol
