#include "storage/completions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "storage/threads.h"

namespace esdb::storage {

Completions::Completions(Drive drive, std::function<void()> wake)
    : drive_(drive), wake_(std::move(wake)) {}

Completions::~Completions() { close(); }

template <class Put>
void Completions::put_and_wake(const Put& put) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = waiting_.empty();
    put();
    if (drive_ == Drive::kOwnThread && !thread_.joinable() && !closing_)
      thread_ = quiet_thread("esdb-complete", [this] { run_thread(); });
  }
  if (!first) return;
  if (drive_ == Drive::kCaller) {
    wake_();
  } else {
    put_.notify_one();
  }
}

void Completions::put(Run run) {
  put_and_wake([&] { waiting_.push_back(std::move(run)); });
}

void Completions::put_all(std::vector<Run>& runs) {
  if (runs.empty()) return;
  put_and_wake([&] {
    if (waiting_.empty())
      waiting_.swap(runs);
    else
      std::ranges::move(runs, std::back_inserter(waiting_));
  });
  runs.clear();
}

void Completions::run_all() {
  const auto before = running_.exchange(std::this_thread::get_id());
  std::vector<Run> now;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      now.swap(waiting_);
    }
    if (now.empty()) break;
    for (auto& run : now) run();
    now.clear();
  }
  running_.store(before);
}

void Completions::run_thread() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      put_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
    }
    run_all();
  }
}

void Completions::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  put_.notify_one();
  if (thread_.joinable()) thread_.join();
  run_all();
}

}  // namespace esdb::storage
