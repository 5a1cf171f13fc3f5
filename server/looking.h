// Looking: calls of the store that block (counts, pages, one stream's head) on a thread of their
// own, so that the event loop never waits for a disk.
//
// Threads: run() from the event loop's thread, where its promise is answered too.
#pragma once

#include <kj/async-unix.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "esdb/error.h"
#include "protocol/loop_queue.h"

namespace esdb::server {

class Looking {
 public:
  explicit Looking(kj::UnixEventPort& port);
  ~Looking();  // waits for the call that runs; those behind it are dropped
  KJ_DISALLOW_COPY(Looking);

  template <class T>
  kj::Promise<Result<T>> run(std::move_only_function<Result<T>()> call) {
    auto answer = kj::newPromiseAndFulfiller<Result<T>>();
    push([this, call = std::move(call), fulfiller = kj::mv(answer.fulfiller)]() mutable {
      auto result = call();
      answers_.push([result = std::move(result), fulfiller = kj::mv(fulfiller)]() mutable {
        fulfiller->fulfill(kj::mv(result));
      });
    });
    return kj::mv(answer.promise);
  }

 private:
  using Work = std::move_only_function<void()>;
  void push(Work work);
  void serve();
  kj::Promise<void> watch();

  protocol::LoopQueue answers_;
  std::mutex mutex_;  // protects what follows
  std::condition_variable changed_;
  std::deque<Work> work_;
  bool stopping_ = false;

  std::thread thread_;
  kj::UnixEventPort::FdObserver wake_;
  kj::Promise<void> watching_;
};

}  // namespace esdb::server
