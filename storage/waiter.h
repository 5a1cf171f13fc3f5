// One blocked call: what it waits for, and how it is woken.
//
// Threads: the caller waits; any thread fires. Shared, because a call that gives up leaves before
//          whoever fires it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace esdb::storage {

class Waiter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  void fire() {
    {
      const std::lock_guard lock(mutex_);
      fired_ = true;
    }
    changed_.notify_all();
  }
  bool fired() const {
    const std::lock_guard lock(mutex_);
    return fired_;
  }
  // Until it fires (true) or the time comes.
  bool wait_until(TimePoint until) {
    std::unique_lock lock(mutex_);
    if (until == TimePoint::max()) {
      changed_.wait(lock, [this] { return fired_; });
      return true;
    }
    return changed_.wait_until(lock, until, [this] { return fired_; });
  }
  void reset() {
    const std::lock_guard lock(mutex_);
    fired_ = false;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool fired_ = false;
};

}  // namespace esdb::storage
