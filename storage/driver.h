// Driving the writer: a role, taken by one thread at a time.
//
// A blocking caller that finds nobody driving drives until its own append is durable: a hop to
// another thread would cost 50 us on an idle machine. Otherwise a thread of the store drives, or,
// with Drive::kCaller, the program's own loop.
//
//   ring fd   readable when a write is done or something new waits: watched by whoever drives
//   idle fd   readable when there is work and nobody drives: watched by the store's thread
//   (with Drive::kCaller the program's loop watches both, through one fd: EventStore::wake_fd())
//
// Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>

#include "esdb/event_store.h"
#include "storage/waiter.h"
#include "storage/writer.h"

namespace esdb::storage {

// An eventfd. Signalled again before it is drained, it costs no call of the system: under load
// every request signals.
class Wake {
 public:
  Wake();  // fd() is -1 where the process has no descriptor left
  ~Wake();
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  int fd() const { return fd_; }
  void signal();
  void drain();
  // Until it is readable or the time comes.
  void wait_until(Waiter::TimePoint until) const;

 private:
  int fd_;
  // signal() has written since the last drain(). Where it has not, the fd may be readable all the
  // same: the kernel writes to the ring's when a write of the log is done.
  std::atomic<bool> signalled_{false};
};

class Driver {
 public:
  using TimePoint = Waiter::TimePoint;

  explicit Driver(Drive drive);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  // Before anything else: the errno of what it could not make; 0: nothing was in the way.
  int failure() const { return failure_; }
  void attach(Writer& writer, Inbox& inbox) {
    writer_ = &writer;
    inbox_ = &inbox;
  }

  // Something was put into the inbox, or the writer may go on (a segment, an index commit). Wakes
  // whoever drives, or whoever would.
  void nudge();
  // As nudge(), after putting one request: while a write is in flight its completion will do.
  void requested();

  enum class End : std::uint8_t { kFired, kDeadline, kStopped };
  // Blocks until the waiter fires; drives meanwhile where nobody else does. A caller that only
  // wants to see the log move leaves driving to the store's thread where there is one.
  enum class While : std::uint8_t { kAppending, kLooking };
  End wait(Waiter& waiter, TimePoint deadline, const std::stop_token& stop, While what);

  // The program's loop: one turn. False: another thread is driving.
  bool turn();
  // For close(): takes the role for good, has the writer refuse what waits, and drives until what
  // was taken up is answered.
  void shut();
  // The store's thread: drives whenever there is work and nobody else does, until stopped.
  void run(const std::stop_token& stop);

  // Drive::kCaller: the program's loop is to call advance().
  void wake_loop() { idle_wake_.signal(); }

  int ring_fd() const { return ring_wake_.fd(); }
  int wake_fd() const { return loop_fd_; }

 private:
  bool take_role();
  void leave_role();
  void drive_until_fired(Waiter& waiter, TimePoint deadline, const std::stop_token& stop);

  const Drive drive_;
  Writer* writer_ = nullptr;
  Inbox* inbox_ = nullptr;
  Wake ring_wake_;
  Wake idle_wake_;
  int failure_ = 0;
  int loop_fd_ = -1;  // Drive::kCaller: readable when one of the two is
  std::atomic<bool> driven_{false};
  std::atomic<bool> in_flight_{false};  // told by whoever drives, at the end of a turn
  std::atomic<bool> shutting_{false};   // the role is wanted back, for good
};

}  // namespace esdb::storage
