#include "storage/reader_pool.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"
#include "storage/threads.h"

namespace esdb::storage {
namespace {

constexpr std::chrono::milliseconds kNotNowPause{20};

}  // namespace

ReaderPool::ReaderPool(std::size_t threads_max, Attempt attempt, Deliver deliver)
    : threads_max_(threads_max), attempt_(std::move(attempt)), deliver_(std::move(deliver)) {}

ReaderPool::~ReaderPool() { close(); }

void ReaderPool::put(std::shared_ptr<Place> place) {
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      // An exchange, as moved() does one: either sees the other, so that a move is not missed.
      anyone_.exchange(1);
      ready_.push_back(std::move(place));
      if (ready_.size() > idle_ && threads_.size() < threads_max_)
        threads_.push_back(quiet_thread("esdb-read", [this] {
          let_others_go_first();
          run();
        }));
      changed_.notify_one();
      return;
    }
  }
  // The threads are gone, or going: what there is to say of a store that closes is said here.
  auto attempted = attempt_(*place);
  if (attempted.batch) deliver_(std::move(place), std::move(*attempted.batch));
}

void ReaderPool::moved() {
  if (anyone_.fetch_add(0) == 0) return;
  const std::lock_guard lock(mutex_);
  ++moves_;
  ready_all();
}

void ReaderPool::ready_all() {
  if (waiting_.empty()) return;
  for (auto& place : std::exchange(waiting_, {})) ready_.push_back(std::move(place));
  changed_.notify_all();
}

void ReaderPool::ready_late() {
  const auto now = std::chrono::steady_clock::now();
  const auto late =
      std::ranges::partition(waiting_, [now](const auto& place) { return place->again_at > now; });
  for (auto& place : late) ready_.push_back(std::move(place));
  waiting_.erase(late.begin(), late.end());
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
          std::ranges::min_element(waiting_, {}, [](const auto& p) { return p->again_at; });
      const auto until = (*first)->again_at;
      if (until == std::chrono::steady_clock::time_point::max()) {
        changed_.wait(lock);
      } else if (changed_.wait_until(lock, until) == std::cv_status::timeout) {
        ready_late();
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
    auto [outcome, batch] = attempt_(*place);
    ESDB_CHECK(batch.has_value() == (outcome == Outcome::kBatch));
    if (batch) deliver_(std::move(place), std::move(*batch));
    lock.lock();
    if (outcome == Outcome::kBatch) {
      anyone_.store(!ready_.empty() || !waiting_.empty() || idle_ + 1 < threads_.size() ? 1 : 0);
    } else if (outcome == Outcome::kMore || moves != moves_ || closing_) {
      ready_.push_back(std::move(place));
    } else {
      place->again_at = place->deadline;
      if (outcome == Outcome::kNotNow)
        place->again_at =
            std::min(place->deadline, std::chrono::steady_clock::now() + kNotNowPause);
      changed_.notify_one();  // whoever waits for the first of them may wait for this one instead
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
