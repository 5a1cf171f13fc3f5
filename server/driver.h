// Driver: lets an event loop drive a store that was opened with Drive::kCaller.
//
// advance() runs once at the end of a turn in which something was asked of the store, when all that
// the turn received has been handed over, or in a long turn whenever some appends have been, and
// whenever the store says that it has work.
//
// Threads: that of the event loop.
#pragma once

#include <kj/async-unix.h>

#include <cstdint>

#include "esdb/event_store.h"

namespace esdb::server {

class Driver {
 public:
  // Both outlive the driver. A store that drives itself (wake_fd() of -1) needs nothing from it.
  Driver(EventStore& store, kj::UnixEventPort& port);
  KJ_DISALLOW_COPY(Driver);

  void soon();  // advance() at the end of this turn
  // The same, or now. Not for who answers a call just then: what advance() completes may be
  // answered before it, and a cursor's answers go out in the order of its calls.
  void appended();

  // Counts calls that append or read, and what the store tells: it moves while clients are busy.
  const std::uint64_t& arrivals() const { return arrivals_; }

 private:
  kj::Promise<void> watch();

  EventStore& store_;
  bool scheduled_ = false;
  std::uint64_t arrivals_ = 0;
  std::size_t appended_ = 0;  // since the store was last advanced
  kj::Maybe<kj::UnixEventPort::FdObserver> wake_;
  kj::Promise<void> turn_ = kj::READY_NOW;
  kj::Promise<void> watching_ = kj::READY_NOW;
};

}  // namespace esdb::server
