// Looking: calls of the store that block (counts, pages, one stream's head) on a few threads of
// their own, so that the event loop never waits for a disk.
//
// A count may read the whole log; everything else is a page at the most. Long calls therefore never
// take every thread, nor one owner's every thread that is theirs; and of whatever waits, each owner
// is served in turn, so that nobody's many calls hold up another's one.
//
// Threads: run() from the event loop's thread, where its promise is answered too.
#pragma once

#include <kj/async-unix.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "esdb/error.h"
#include "protocol/loop_queue.h"

namespace esdb::server {

class Looking {
 public:
  static constexpr std::size_t kThreads = 4;         // started when they are first needed
  static constexpr std::size_t kLongMax = 3;         // of them, in long calls
  static constexpr std::size_t kLongOfOwnerMax = 2;  // and in those of one owner

  enum class Length : std::uint8_t { kShort, kLong };
  // Whose call it is; stopped, one that waits is answered kCancelled without being made.
  struct Terms {
    std::uint64_t owner = 0;
    Length length = Length::kShort;
    std::stop_token stop{};
  };

  explicit Looking(kj::UnixEventPort& port);
  ~Looking();  // waits for the calls that run; those behind them are dropped
  KJ_DISALLOW_COPY(Looking);

  template <class T>
  kj::Promise<Result<T>> run(Terms terms, std::move_only_function<Result<T>()> call) {
    auto answer = kj::newPromiseAndFulfiller<Result<T>>();
    push(terms, [this, stop = terms.stop, call = std::move(call),
                 fulfiller = kj::mv(answer.fulfiller)]() mutable {
      auto result = stop.stop_requested() ? Result<T>(std::unexpected(left())) : call();
      answers_.push([result = std::move(result), fulfiller = kj::mv(fulfiller)]() mutable {
        fulfiller->fulfill(kj::mv(result));
      });
    });
    return kj::mv(answer.promise);
  }

 private:
  using Work = std::move_only_function<void()>;
  struct Taken {
    std::uint64_t owner;
    Length length;
    Work work;
  };
  // What waits of one length, by owner, and the owners in the order of their turns.
  struct Lane {
    std::map<std::uint64_t, std::deque<Work>> waiting{};
    std::deque<std::uint64_t> turns{};
    void push(std::uint64_t owner, Work work);
  };

  static Error left();
  void push(const Terms& terms, Work work);
  void start_thread();
  void serve();
  std::optional<Taken> take();
  std::optional<Taken> take_from(Lane& lane, Length length);
  kj::Promise<void> watch();

  protocol::LoopQueue answers_;
  std::mutex mutex_;  // protects what follows
  std::condition_variable changed_;
  Lane short_, long_;
  std::map<std::uint64_t, std::size_t> long_running_;  // by owner
  std::size_t long_running_all_ = 0;
  std::size_t waiting_ = 0, running_ = 0;
  bool long_is_next_ = false;  // where both wait they are taken by turns
  bool stopping_ = false;

  std::vector<std::thread> threads_;  // the event loop's own
  kj::UnixEventPort::FdObserver wake_;
  kj::Promise<void> watching_;
};

}  // namespace esdb::server
