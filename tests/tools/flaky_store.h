// A store that answers appends later, from a thread of its own, in order, and fails those that it
// is told to fail: what a pipeline has to live with.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "tests/fixtures/forwarding_store.h"

namespace esdb::tools::testing {

class FlakyStore final : public fixtures::ForwardingStore {
 public:
  struct Fault {
    ErrorCode code{};
    bool written = false;  // whether the append is written all the same
  };
  // `faults`: by the number of the append, from 0, as they arrive.
  FlakyStore(std::shared_ptr<EventStore> store, std::map<std::size_t, Fault> faults)
      : faults_(std::move(faults)) {
    forward_to(std::move(store));
    worker_ = std::thread([this] { work(); });
  }
  ~FlakyStore() override { close(); }

  Result<Appended> append(EncodedAppend append, const CallOptions&) override {
    return judge(std::move(append));
  }
  void append(EncodedAppend append, const CallOptions&, Completion<Appended> done) override {
    const std::lock_guard lock(mutex_);
    queue_.emplace_back(std::move(append), std::move(done));
    most_waiting_ = std::max(most_waiting_, queue_.size());
    changed_.notify_all();
  }
  Result<Statistics> statistics() override {
    auto found = ForwardingStore::statistics();
    if (found && change_statistics) change_statistics(*found);
    return found;
  }
  int wake_fd() const override { return -1; }
  void advance() override {}
  void close() override {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      changed_.notify_all();
    }
    if (worker_.joinable()) worker_.join();
  }

  std::size_t most_waiting() {
    const std::lock_guard lock(mutex_);
    return most_waiting_;
  }
  // Called before each append is judged, with its number.
  std::function<void(std::size_t)> before_append{};
  std::function<void(Statistics&)> change_statistics{};

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return closed_ || !queue_.empty(); });
      if (queue_.empty()) return;
      // Long enough for others to be sent behind it.
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      lock.lock();
      auto [append, done] = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      done(judge(std::move(append)));
      lock.lock();
    }
  }

  Result<Appended> judge(EncodedAppend append) {
    std::optional<Fault> fault;
    std::size_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = arrived_++;
      if (const auto at = faults_.find(number); at != faults_.end()) fault = at->second;
    }
    if (before_append) before_append(number);
    if (fault && !fault->written)
      return std::unexpected(Error{.code = fault->code, .message = "made to fail"});
    auto answer = ForwardingStore::append(std::move(append), {});
    if (fault) return std::unexpected(Error{.code = fault->code, .message = "made to fail"});
    return answer;
  }

  std::map<std::size_t, Fault> faults_;
  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::deque<std::pair<EncodedAppend, Completion<Appended>>> queue_{};
  std::size_t arrived_ = 0, most_waiting_ = 0;
  bool closed_ = false;
  std::thread worker_;
};

}  // namespace esdb::tools::testing
