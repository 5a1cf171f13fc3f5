// Who waits for the log to move: blocked subscribers, and the reader threads for those that are
// not.
//
// Threads: any. moved() is the writer's driver's, and costs next to nothing while nobody waits.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "storage/waiter.h"

namespace esdb::storage {

class Arrivals {
 public:
  // Fired at every move until it is left again. Register before looking at the log: what comes
  // after the look then fires it.
  void wait_here(std::shared_ptr<Waiter> waiter) {
    const std::lock_guard lock(mutex_);
    waiters_.push_back(std::move(waiter));
    // An exchange, as moved() does one: whoever looks at the log after this sees what moved() came
    // too late to say, or is counted there.
    count_.exchange(waiters_.size());
  }
  void leave(const std::shared_ptr<Waiter>& waiter) {
    const std::lock_guard lock(mutex_);
    std::erase(waiters_, waiter);
    count_.store(waiters_.size());
  }
  void moved() {
    if (count_.fetch_add(0) == 0) return;
    const std::lock_guard lock(mutex_);
    for (const auto& waiter : waiters_) waiter->fire();
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Waiter>> waiters_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace esdb::storage
