#include "storage/driver.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <thread>

#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Clock = std::chrono::steady_clock;
using End = Driver::End;
using While = Driver::While;

constexpr auto kLong = 20s;

bool readable(int fd) {
  pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 0) == 1;
}

// A driver with its writer; the store's own thread where it is asked for.
struct Driven {
  explicit Driven(Drive drive = Drive::kOwnThread)
      : driver(drive), setup({.wake_fd = driver.ring_fd()}) {
    driver.attach(setup.writer, setup.inbox);
  }
  void start() {
    thread = std::jthread([this](const std::stop_token& stop) { driver.run(stop); });
  }
  // One blocking append; what its answer was is in `waiting`.
  struct Waiting {
    Waiter waiter{};
    std::atomic<bool> appended{false};
    std::atomic<int> code{0};
  };
  std::shared_ptr<Waiting> put(std::string stream) {
    auto waiting = std::make_shared<Waiting>();
    auto request = setup.request("", encoded(one(std::move(stream))));
    request->done = [waiting](Result<Appended> result) {
      waiting->appended = result.has_value();
      if (!result) waiting->code = static_cast<int>(result.error().code);
      waiting->waiter.fire();
    };
    EXPECT_TRUE(setup.inbox.put(request));
    return waiting;
  }
  End wait(const std::shared_ptr<Waiting>& waiting, Clock::time_point deadline,
           const std::stop_token& stop = {}) {
    return driver.wait(waiting->waiter, deadline, stop, While::kAppending);
  }

  Driver driver;
  WriterSetup setup;
  std::jthread thread{};
};

void expect_soon(const std::function<bool()>& what) {
  const auto until = Clock::now() + kLong;
  while (!what() && Clock::now() < until) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(what());
}

TEST(Wake, IsReadableFromItsSignalUntilItIsDrained) {
  Wake wake;
  EXPECT_FALSE(readable(wake.fd()));
  wake.signal();
  wake.signal();
  EXPECT_TRUE(readable(wake.fd()));
  wake.wait_until(Clock::time_point::max());
  wake.drain();
  EXPECT_FALSE(readable(wake.fd()));
  wake.drain();
  const auto begun = Clock::now();
  wake.wait_until(begun + 5ms);
  EXPECT_GE(Clock::now(), begun + 4ms);
  wake.wait_until(begun);
}

TEST(Wake, ASignalThatOvertakesADrainIsNotLost) {
  constexpr int kRounds = 1'000'000;
  Wake wake;
  std::atomic<int> done = 0;
  std::jthread signals([&] {
    for (int i = 1; i <= kRounds; ++i) {
      done = i;
      wake.signal();
    }
  });
  for (int seen = 0; seen < kRounds;) {
    wake.wait_until(Clock::now() + kLong);
    ASSERT_TRUE(readable(wake.fd())) << "a signal was lost behind " << seen;
    wake.drain();
    seen = done;
  }
}

TEST(Driver, SaysWhatItCouldNotMake) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  auto none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Driver short_of_descriptors(Drive::kCaller);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(short_of_descriptors.failure(), EMFILE);
  EXPECT_EQ(Driver(Drive::kCaller).failure(), 0);
}

TEST(Driver, ABlockingCallerDrivesByItself) {
  Driven driven;  // no other thread is there
  const auto waiting = driven.put("s");
  EXPECT_EQ(driven.wait(waiting, Clock::now() + kLong), End::kFired);
  EXPECT_TRUE(waiting->appended);
}

TEST(Driver, TheStoresThreadDrivesForThoseThatDoNotBlock) {
  Driven driven;
  driven.start();
  for (int i = 0; i < 100; ++i) {
    const auto waiting = driven.put("s");
    driven.driver.requested();
    expect_soon([&] { return waiting->waiter.fired(); });
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Driver, WhoLeavesHandsOverWhatIsInFlight) {
  Driven driven;
  driven.start();
  ASSERT_TRUE(driven.wait(driven.put("begin"), Clock::now() + kLong) == End::kFired);
  driven.setup.io.hold();
  const auto first = driven.put("s");
  EXPECT_EQ(driven.wait(first, Clock::now() + 20ms), End::kDeadline);
  driven.setup.io.release();
  expect_soon([&] { return first->waiter.fired(); });
}

TEST(Driver, ACallerLeavesAtItsDeadlineAndAtItsStop) {
  Driven driven;
  driven.setup.io.hold();
  const auto waiting = driven.put("s");
  EXPECT_EQ(driven.wait(waiting, Clock::now() + 10ms), End::kDeadline);
  std::stop_source stop;
  auto other = std::async(std::launch::async, [&] {
    return driven.wait(waiting, Clock::time_point::max(), stop.get_token());
  });
  std::this_thread::sleep_for(10ms);
  stop.request_stop();
  ASSERT_EQ(other.wait_for(kLong), std::future_status::ready);
  EXPECT_EQ(other.get(), End::kStopped);
}

// The one who drives waits for something that no write will tell; nobody else may be stuck with it.
TEST(Driver, ACallerIsServedByADriverThatWaitsForSomethingElse) {
  Driven driven;
  driven.start();
  Waiter never;
  auto stuck = std::async(std::launch::async, [&] {
    return driven.driver.wait(never, Clock::now() + kLong, {}, While::kAppending);
  });
  std::this_thread::sleep_for(20ms);
  const auto begun = Clock::now();
  const auto waiting = driven.put("s");
  EXPECT_EQ(driven.wait(waiting, Clock::now() + kLong), End::kFired);
  EXPECT_LT(Clock::now() - begun, kLong / 2);
  EXPECT_TRUE(waiting->appended);
  never.fire();
  driven.driver.nudge();
  EXPECT_EQ(stuck.get(), End::kFired);
}

TEST(Driver, AReaderThatWaitsLeavesDrivingToTheStoresThread) {
  Driven driven;
  Waiter waiter;
  EXPECT_EQ(driven.driver.wait(waiter, Clock::now() + 5ms, {}, While::kLooking), End::kDeadline);
  const auto waiting = driven.put("s");
  EXPECT_EQ(driven.driver.wait(waiting->waiter, Clock::now() + 5ms, {}, While::kLooking),
            End::kDeadline)
      << "no thread of the store is there, and the reader does not take its part";
  EXPECT_EQ(driven.wait(waiting, Clock::now() + kLong), End::kFired);
}

// ---- the program drives

TEST(Driver, TheProgramsLoopSleepsWhileAWriteIsInFlight) {
  Driven driven(Drive::kCaller);
  EXPECT_FALSE(readable(driven.driver.wake_fd()));
  driven.setup.io.hold();
  const auto waiting = driven.put("s");
  driven.driver.requested();
  EXPECT_TRUE(readable(driven.driver.wake_fd()));
  for (int turns = 0; turns < 5 && readable(driven.driver.wake_fd()); ++turns)
    EXPECT_TRUE(driven.driver.turn());
  EXPECT_FALSE(readable(driven.driver.wake_fd())) << "there is nothing to do until it is durable";
  driven.setup.io.release();
  EXPECT_TRUE(readable(driven.driver.wake_fd()));
  driven.driver.turn();
  EXPECT_TRUE(waiting->appended);
}

TEST(Driver, WhatIsMeantForTheLoopIsNotTakenByAnotherThreadThatDrives) {
  Driven driven(Drive::kCaller);
  driven.setup.io.hold();
  const auto waiting = driven.put("s");
  auto other =
      std::async(std::launch::async, [&] { return driven.wait(waiting, Clock::now() + kLong); });
  expect_soon([&] { return driven.setup.io.held().size() == 2; });
  driven.driver.wake_loop();
  driven.driver.nudge();  // wakes the one who drives, which drains what is its own
  std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(readable(driven.driver.wake_fd()));
  driven.setup.io.release();
  EXPECT_EQ(other.get(), End::kFired);
}

// ---- the end

TEST(Driver, ShuttingTakesTheRoleFromACallerWhoseAppendCannotGoOn) {
  Driven driven;
  const auto first = driven.put("begin");
  ASSERT_EQ(driven.wait(first, Clock::now() + kLong), End::kFired);
  driven.setup.io.hold();
  const auto flying = driven.put("flying");
  auto drives =
      std::async(std::launch::async, [&] { return driven.wait(flying, Clock::time_point::max()); });
  expect_soon([&] { return driven.setup.io.held().size() == 1; });
  const auto waits = driven.put("waits");
  auto shuts = std::async(std::launch::async, [&] { driven.driver.shut(); });
  expect_soon([&] { return waits->waiter.fired(); });
  EXPECT_EQ(waits->code, static_cast<int>(ErrorCode::kClosed));
  EXPECT_EQ(shuts.wait_for(10ms), std::future_status::timeout) << "one write is in flight";
  driven.setup.io.release();
  shuts.get();
  EXPECT_EQ(drives.get(), End::kFired);
  EXPECT_TRUE(flying->appended);
}

TEST(Driver, NoRequestIsForgottenBetweenThreadsThatComeAndGo) {
  Driven driven;
  driven.start();
  std::atomic<int> answered{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const auto waiting = driven.put("s" + std::to_string(t));
        if (t % 2 == 0) {
          EXPECT_EQ(driven.wait(waiting, Clock::now() + kLong), End::kFired);
        } else {
          driven.driver.requested();
          EXPECT_TRUE(waiting->waiter.wait_until(Clock::now() + kLong));
        }
        if (waiting->appended) ++answered;
      }
    });
  threads.clear();
  EXPECT_EQ(answered, 2'000);
}

}  // namespace
}  // namespace esdb::storage
