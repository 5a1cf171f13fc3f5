// The bounded queue into the writer: many put, the writer's driver takes all at once.
//
// Bounded in count and bytes: when it is full, a completion call is refused at once and a blocking
// one waits for room until its deadline. A request that goes back to be prepared again keeps its
// place in the bounds.
//
// Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

#include "storage/request.h"

namespace esdb::storage {

class Inbox {
 public:
  struct Bounds {
    std::size_t count{};
    std::size_t bytes{};
  };
  explicit Inbox(Bounds bounds) : bounds_(bounds) {}

  // False, with the request untouched: it is full.
  bool put(RequestPtr& request);
  // Takes a place for a request that is prepared elsewhere first; false: it is full. put_admitted()
  // fills the place (false, with the request untouched: closed), settled() gives it up.
  bool admit(Request& request);
  bool put_admitted(RequestPtr& request);
  // A request that was in it before, prepared again: never refused.
  void put_again(RequestPtr request);
  // Blocks until there is room, the deadline passes, the request's stop token says so, or the inbox
  // is closed; true: put.
  bool put_until(RequestPtr& request, std::chrono::steady_clock::time_point deadline);

  // Takes everything that waits, in order; those prepared again first.
  void take(std::vector<RequestPtr>& again, std::vector<RequestPtr>& fresh);
  // Requests left, answered: so many, of so many bytes together.
  void settled(std::size_t bytes, std::size_t count = 1);
  bool empty() const;
  std::size_t waiting_bytes() const { return waiting_bytes_.load(); }  // put and not yet taken
  void close();                                                        // wakes put_until()

 private:
  void add(RequestPtr& request);
  bool has_room(std::size_t bytes) const {
    return count_ == 0 || (count_ < bounds_.count && bytes_ + bytes <= bounds_.bytes);
  }

  const Bounds bounds_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::vector<RequestPtr> fresh_, again_;
  std::size_t count_ = 0;  // put and not yet settled
  std::size_t bytes_ = 0;
  std::atomic<std::size_t> waiting_bytes_{0};  // changed with the mutex held
  bool closed_ = false;
};

}  // namespace esdb::storage
