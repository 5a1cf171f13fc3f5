// What a remote store and its cursors share: the loop, and how answers reach who asked.
//
// Threads: any, but for advance().
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "client/loop.h"
#include "esdb/event_store.h"
#include "protocol/loop_queue.h"

namespace esdb::client {

inline Error closed_error() {
  return {.code = ErrorCode::kClosed, .message = "the store is closed"};
}

// An answer that a blocked thread waits for.
template <class T>
class Answer {
 public:
  void set(Result<T> result) {
    const std::lock_guard lock(mutex_);
    result_.emplace(std::move(result));
    ready_.notify_one();
  }
  Result<T> wait() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this]() { return result_.has_value(); });
    return std::move(*result_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<Result<T>> result_;
};

// Ends what a completion waits for when its caller's stop token says so. Kept by what the
// completion is waiting in; started once the loop has been asked, as it must not come before.
class StopWatch {
 public:
  void start(const std::stop_token& stop, std::function<void()> cancel) {
    if (stop.stop_possible()) callback_.emplace(stop, std::move(cancel));
  }

 private:
  std::optional<std::stop_callback<std::function<void()>>> callback_;
};

class Shared {
 public:
  static constexpr std::size_t kQueuedBytesMax = 64 << 20;

  Shared(Address address, const OpenOptions& options)
      : timeout_(options.timeout), drive_(options.drive), loop_(std::move(address), options.log) {}

  Loop& loop() { return loop_; }
  const std::optional<Error>& failure() const { return loop_.failure(); }
  std::uint64_t new_id() { return ++last_id_; }
  bool calls_advance() const { return drive_ == Drive::kCaller; }
  std::chrono::milliseconds timeout_of(const CallOptions& call) const {
    return call.timeout.count() > 0 ? call.timeout : timeout_;
  }

  // Appends with a completion wait in this process until they are answered, up to so many bytes.
  // False: full. To be taken back in either case.
  bool queue_bytes(std::size_t bytes) { return (queued_ += bytes) <= kQueuedBytesMax; }
  void unqueue_bytes(std::size_t bytes) { queued_ -= bytes; }

  // Runs a completion where completions run. Called on the loop, or after it has ended.
  void complete(protocol::LoopQueue::Work completion) {
    if (calls_advance())
      completions_.push(std::move(completion));
    else
      completion();
  }
  int wake_fd() const { return calls_advance() ? completions_.wake_fd() : -1; }
  void advance() {
    advancing_ = std::this_thread::get_id();
    completions_.drain();
    advancing_ = std::thread::id();
  }

  // Waits for what `start` begins: start(id, answer) hands the call to the loop and tells whether
  // the loop took it. `cancel` is posted when the caller's stop token says so.
  template <class T, class Start>
  Result<T> block(const std::stop_token& stop, Start start,
                  void (*cancel)(Inside&, std::uint64_t id, std::uint64_t what),
                  std::uint64_t what = 0) {
    if (loop_.is_here() || advancing_.load() == std::this_thread::get_id())
      return std::unexpected(Error{
          .code = ErrorCode::kInvalidArgument,
          .message =
              "a blocking call within a completion would wait for itself: make it elsewhere"});
    const auto answer = std::make_shared<Answer<T>>();
    const auto id = new_id();
    if (!start(id, answer)) return std::unexpected(closed_error());
    const std::stop_callback stopped(stop, [&]() {
      loop_.post([cancel, id, what](Inside& inside) { cancel(inside, id, what); });
    });
    return answer->wait();
  }

 private:
  const std::chrono::milliseconds timeout_;
  const Drive drive_;
  std::atomic<std::uint64_t> last_id_ = 0;
  std::atomic<std::size_t> queued_ = 0;
  std::atomic<std::thread::id> advancing_ = std::thread::id();
  protocol::LoopQueue completions_;
  Loop loop_;
};

}  // namespace esdb::client
