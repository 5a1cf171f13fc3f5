// Wakeful loop: an event loop that stays awake for a moment where something is about to come.
//
// A thread that sleeps takes long to wake where processors halt: some 50 us each in a virtual
// machine, half as long as a durable write; an append through a server wakes four. So where sleeps
// were short, the loop asks its port again and again instead, and lets other threads run in
// between, as hypervisors do with the processors of their guests (halt polling). Where that was in
// vain, or others want the processor, it sleeps.
//
// Threads: that of the event loop.
#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>

#include <chrono>
#include <cstdint>

namespace esdb::protocol {

// Whether it is worth it to stay awake, by what came of it before.
class Wakefulness {
 public:
  // So long it stays awake at most: twice a durable write of a quick device.
  static constexpr std::chrono::microseconds kAwake{200};
  // Who let others run and had the processor back this late has to share it: the kernel's own work
  // for a durable write takes a quarter of that at a time, a busy process's slice more.
  static constexpr std::chrono::microseconds kShared{500};

  bool stays_awake() const { return credit_ > 0; }
  void slept(std::chrono::nanoseconds time);
  void watched(bool in_vain);
  void crowded();

 private:
  static constexpr int kCreditMost = 4;
  static constexpr int kCrowded = -64;  // short sleeps until it is tried again

  int credit_ = 0;
};

class WakefulLoop {
 public:
  // `arrivals` counts what comes from elsewhere: calls, answers, completions. Both outlive this.
  WakefulLoop(kj::AsyncIoContext& loop, const std::uint64_t& arrivals)
      : loop_(loop), arrivals_(arrivals) {}
  KJ_DISALLOW_COPY(WakefulLoop);

  // As promise.wait().
  template <class T>
  T run(kj::Promise<T> promise) {
    // Once more between watching and sleeping: what comes while it watches may be the promise.
    while (!promise.poll(loop_.waitScope))
      if (!watch() && !promise.poll(loop_.waitScope)) sleep();
    return promise.wait(loop_.waitScope);
  }

 private:
  bool watch();  // true: something came
  void sleep();

  kj::AsyncIoContext& loop_;
  const std::uint64_t& arrivals_;
  Wakefulness wakefulness_;
};

}  // namespace esdb::protocol
