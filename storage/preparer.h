// Preparing off the caller's thread: requests whose preparation was overtaken, retries whose first
// answer lies in a sealed file, and appends that came while the index could not answer.
//
// One thread and one queue, so that requests of a session keep their order here too: while one is
// here, those behind it come here as well. Retries were judged already: they go on while the index
// cannot answer for the others.
//
// Threads: put() any; step() one at a time (the thread here, or a simulator).
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "storage/prepare.h"

namespace esdb::storage {

class Preparer {
 public:
  struct Tells {
    std::function<void(RequestPtr)> prepared;  // into the queue, for the first time
    // Back to where it was in the queue, also when it `failed`: what its session has behind it
    // waits for it there.
    std::function<void(RequestPtr)> prepared_again;
    std::function<void(RequestPtr, Result<Appended>)> answer;
  };
  Preparer(const Sources& sources, Tells tells);
  ~Preparer();
  Preparer(const Preparer&) = delete;
  Preparer& operator=(const Preparer&) = delete;

  void put(RequestPtr request);
  void put_repeated(RequestPtr request, CommitSpan commit);
  bool holds_session(std::uint64_t session) const;
  // Does one job; false: there was none, or none can be done yet. Those whose time is over
  // meanwhile are answered wherever they stand.
  bool step();
  void close();  // what is left is answered kClosed

 private:
  struct Repeat {
    RequestPtr request{};
    CommitSpan commit{};
  };
  void start();
  void run();
  Result<void> prepare_one(RequestPtr& request);
  void refuse(RequestPtr request, Error error);
  bool refuse_late(const Error& why);
  void answer(Repeat repeat);
  void finished(std::uint64_t session);

  const Sources sources_;
  const Tells tells_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RequestPtr> to_prepare_;
  std::deque<Repeat> repeats_;
  std::unordered_map<std::uint64_t, std::size_t> sessions_;  // of each, those to be prepared
  bool closing_ = false;
  std::thread thread_;  // started by the first put()
};

}  // namespace esdb::storage
