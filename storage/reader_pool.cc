#include "storage/reader_pool.h"

#include <algorithm>
#include <utility>

#include "storage/threads.h"

namespace esdb::storage {

ReaderPool::ReaderPool(std::size_t threads_max, Attempt attempt, Deliver deliver)
    : threads_max_(threads_max), attempt_(std::move(attempt)), deliver_(std::move(deliver)) {}

ReaderPool::~ReaderPool() { close(); }

void ReaderPool::put(std::shared_ptr<Place> place) {
  const std::lock_guard lock(mutex_);
  anyone_.store(true);
  ready_.push_back(std::move(place));
  if (idle_ == 0 && threads_.size() < threads_max_ && !closing_)
    threads_.push_back(quiet_thread("esdb-read", [this] { run(); }));
  changed_.notify_one();
}

void ReaderPool::moved() {
  if (!anyone_.load()) return;
  const std::lock_guard lock(mutex_);
  ++moves_;
  ready_all();
}

void ReaderPool::ready_all() {
  if (waiting_.empty()) return;
  for (auto& place : std::exchange(waiting_, {})) ready_.push_back(std::move(place));
  changed_.notify_all();
}

std::shared_ptr<Place> ReaderPool::take(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (!ready_.empty()) {
      auto place = std::move(ready_.front());
      ready_.pop_front();
      return place;
    }
    if (closing_) return nullptr;
    ++idle_;
    if (waiting_.empty()) {
      changed_.wait(lock);
    } else {
      const auto first =
          std::ranges::min_element(waiting_, {}, [](const auto& p) { return p->deadline; });
      const auto until = (*first)->deadline;
      if (until == std::chrono::steady_clock::time_point::max()) {
        changed_.wait(lock);
      } else if (changed_.wait_until(lock, until) == std::cv_status::timeout) {
        ready_all();
      }
    }
    --idle_;
  }
}

void ReaderPool::run() {
  std::unique_lock lock(mutex_);
  while (auto place = take(lock)) {
    const auto moves = moves_;
    lock.unlock();
    auto batch = attempt_(*place);
    if (batch) deliver_(std::move(place), std::move(*batch));
    lock.lock();
    if (batch) {
      anyone_.store(!ready_.empty() || !waiting_.empty() || idle_ + 1 < threads_.size());
    } else if (moves != moves_ || closing_) {
      ready_.push_back(std::move(place));
    } else {
      waiting_.push_back(std::move(place));
    }
  }
}

void ReaderPool::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    ready_all();
    changed_.notify_all();
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace esdb::storage
