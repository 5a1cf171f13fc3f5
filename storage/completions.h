// Completions on their way to the program: run one after another, in the order they were put, never
// inside the call that made them. By a thread of their own, or by the program's advance().
//
// Threads: put() any; run_all() the program's loop (Drive::kCaller).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "esdb/event_store.h"

namespace esdb::storage {

class Completions {
 public:
  using Run = std::move_only_function<void()>;

  // `wake`: with Drive::kCaller, makes the program's loop call advance().
  Completions(Drive drive, std::function<void()> wake);
  ~Completions();
  Completions(const Completions&) = delete;
  Completions& operator=(const Completions&) = delete;

  void put(Run run);
  // Puts all of them, and leaves the vector empty with its capacity: the thread is woken once.
  void put_all(std::vector<Run>& runs);
  void run_all();
  // This thread is running one: a blocking call made here would wait for itself.
  bool is_running_here() const { return running_.load() == std::this_thread::get_id(); }
  // Runs what is left and ends the thread. Nothing is put afterwards.
  void close();

 private:
  void run_thread();
  template <class Put>
  void put_and_wake(const Put& put);

  const Drive drive_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable put_;
  std::vector<Run> waiting_;
  bool closing_ = false;
  std::atomic<std::thread::id> running_{};
  std::thread thread_;  // started by the first put()
};

}  // namespace esdb::storage
