#include "storage/driver.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "storage/check.h"

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""ns;

// How often a writer that cannot go on by itself looks again (for deadlines; what it waits for
// nudges it), and how often a blocked caller asks whether the role is free where no thread of the
// store would take it.
constexpr auto kStalledPause = 20ms;
constexpr auto kRolePause = 1ms;

}  // namespace

Wake::Wake() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
Wake::~Wake() {
  if (fd_ >= 0) ::close(fd_);
}

void Wake::signal() {
  if (signalled_.exchange(true)) return;
  const std::uint64_t one = 1;
  // A full counter is as readable as can be.
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

void Wake::drain() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto read = ::read(fd_, &count, sizeof count);
  // Behind the read: a signal that comes between the two is seen by who drains, as its exchange
  // comes before this one.
  signalled_.exchange(false);
}

void Wake::wait_until(Waiter::TimePoint until) const {
  pollfd watched{.fd = fd_, .events = POLLIN, .revents = 0};
  if (until == Waiter::TimePoint::max()) {
    ::poll(&watched, 1, -1);
    return;
  }
  const auto left = until - std::chrono::steady_clock::now();
  if (left <= 0ns) return;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
  const timespec time{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  ::ppoll(&watched, 1, &time, nullptr);
}

// Two eventfds behind one: a blocked caller on another thread, which drives, drains only the
// ring's, and so never takes what was meant for the program's loop.
Driver::Driver(Drive drive) : drive_(drive) {
  if (ring_wake_.fd() < 0 || idle_wake_.fd() < 0) failure_ = errno;
  if (failure_ != 0 || drive_ != Drive::kCaller) return;
  loop_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  for (const auto* wake : {&ring_wake_, &idle_wake_}) {
    epoll_event watched{.events = EPOLLIN, .data = {}};
    if (loop_fd_ < 0 || ::epoll_ctl(loop_fd_, EPOLL_CTL_ADD, wake->fd(), &watched) != 0)
      failure_ = errno;
  }
}

Driver::~Driver() {
  if (loop_fd_ >= 0) ::close(loop_fd_);
}

void Driver::nudge() {
  if (driven_.load()) {
    ring_wake_.signal();
  } else {
    idle_wake_.signal();
  }
}

void Driver::requested() {
  // Whoever drives looks into the inbox after every completion, so a wake-up is only owed where
  // nothing is in flight, or where enough waits for another frame. `in_flight_` is set before the
  // inbox is looked into for the last time, so neither can miss the other.
  if (driven_.load() && in_flight_.load() && inbox_->waiting_bytes() < kPipelineBytes) return;
  nudge();
}

bool Driver::take_role() {
  bool expected = false;
  return driven_.compare_exchange_strong(expected, true);
}

void Driver::leave_role() {
  // The program's loop watches the ring itself: what is in flight is no reason to wake it.
  const bool work = drive_ == Drive::kCaller ? writer_->looks_again_at_once() : writer_->has_work();
  driven_.store(false);
  // A request that came between the look and the store saw the role taken and woke the ring fd;
  // looking again covers it.
  if (work || !inbox_->empty()) idle_wake_.signal();
}

void Driver::drive_until_fired(Waiter& waiter, TimePoint deadline, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { ring_wake_.signal(); });
  while (!waiter.fired() && !stop.stop_requested() && !shutting_.load()) {
    in_flight_.store(false);
    ring_wake_.drain();
    writer_->advance();
    in_flight_.store(!writer_->is_idle());
    if (waiter.fired()) return;
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return;
    if (!inbox_->empty() && writer_->is_idle() && !writer_->is_stalled()) continue;
    ring_wake_.wait_until(writer_->is_stalled() ? std::min(deadline, now + kStalledPause)
                                                : deadline);
  }
}

Driver::End Driver::wait(Waiter& waiter, TimePoint deadline, const std::stop_token& stop,
                         While what) {
  const bool drives = what == While::kAppending || drive_ == Drive::kCaller;
  const std::stop_callback wake(stop, [&waiter] { waiter.fire(); });
  bool told = false;
  for (;;) {
    if (stop.stop_requested()) return End::kStopped;
    if (waiter.fired()) return End::kFired;
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return End::kDeadline;
    if (drives && !shutting_.load() && take_role()) {
      drive_until_fired(waiter, deadline, stop);
      leave_role();
      continue;
    }
    // Who drives may be waiting for something else than a write.
    if (what == While::kAppending && !std::exchange(told, true)) requested();
    waiter.wait_until(drive_ == Drive::kCaller ? std::min(deadline, now + kRolePause) : deadline);
  }
}

bool Driver::turn() {
  idle_wake_.drain();
  if (!take_role()) return false;
  in_flight_.store(false);
  ring_wake_.drain();
  writer_->advance();
  in_flight_.store(!writer_->is_idle());
  leave_role();
  return true;
}

void Driver::shut() {
  shutting_.store(true);
  while (!take_role()) {
    ring_wake_.signal();
    std::this_thread::sleep_for(kRolePause);
  }
  writer_->shut();
  while (!writer_->is_idle()) {
    ring_wake_.wait_until(TimePoint::max());
    ring_wake_.drain();
    writer_->advance();
  }
}

void Driver::run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    idle_wake_.signal();
    ring_wake_.signal();
  });
  while (!stop.stop_requested()) {
    idle_wake_.wait_until(TimePoint::max());
    idle_wake_.drain();
    if (!take_role()) continue;
    while (!stop.stop_requested()) {
      in_flight_.store(false);
      ring_wake_.drain();
      writer_->advance();
      in_flight_.store(!writer_->is_idle());
      if (!inbox_->empty() && writer_->is_idle() && !writer_->is_stalled()) continue;
      if (!writer_->has_work()) break;
      ring_wake_.wait_until(writer_->is_stalled() ? std::chrono::steady_clock::now() + kStalledPause
                                                  : TimePoint::max());
    }
    leave_role();
  }
}

}  // namespace esdb::storage
