#include "protocol/wakeful_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "protocol/loop_queue.h"

namespace esdb::protocol {
namespace {

using namespace std::chrono_literals;

TEST(Wakefulness, IsForWhatWasIdleForAShortTime) {
  Wakefulness wakefulness;
  EXPECT_FALSE(wakefulness.stays_awake());
  wakefulness.idled(10ms);
  EXPECT_FALSE(wakefulness.stays_awake());
  wakefulness.idled(60us);
  EXPECT_TRUE(wakefulness.stays_awake());
  wakefulness.idled(60us);
  EXPECT_TRUE(wakefulness.stays_awake());
}

TEST(Wakefulness, EndsWithAFewVainMoments) {
  Wakefulness wakefulness;
  for (int i = 0; i < 100; ++i) wakefulness.idled(60us);
  wakefulness.idled(Wakefulness::kAwake + 1us);  // it came just behind
  EXPECT_TRUE(wakefulness.stays_awake());
  for (int i = 0; i < 3; ++i) wakefulness.idled(Wakefulness::kAwake + 1us);
  EXPECT_FALSE(wakefulness.stays_awake());
}

TEST(Wakefulness, GivesWayWhereProcessorsAreWanted) {
  Wakefulness wakefulness;
  wakefulness.idled(60us);
  wakefulness.crowded();
  for (int i = 0; i < 64; ++i) wakefulness.idled(60us);
  EXPECT_FALSE(wakefulness.stays_awake());
  wakefulness.idled(60us);
  EXPECT_TRUE(wakefulness.stays_awake());
}

std::chrono::nanoseconds processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

// A loop whose work comes from another thread, in bursts and after pauses.
class WakefulLoops : public testing::Test {
 protected:
  ~WakefulLoops() noexcept override {}

  kj::Promise<void> serve() {
    return observer_.whenBecomesReadable().then([this]() -> kj::Promise<void> {
      ++arrivals_;
      auto next = serve();
      queue_.drain();
      if (ended_) return kj::READY_NOW;
      return next;
    });
  }
  void run() { WakefulLoop(loop_, arrivals_).run(serve()); }

  kj::AsyncIoContext loop_ = kj::setupAsyncIo();
  LoopQueue queue_;
  kj::UnixEventPort::FdObserver observer_{loop_.unixEventPort, queue_.wake_fd(),
                                          kj::UnixEventPort::FdObserver::OBSERVE_READ};
  std::uint64_t arrivals_ = 0;
  bool ended_ = false;
};

TEST_F(WakefulLoops, NothingIsMissedAwakeOrAsleep) {
  constexpr int kWork = 3'000;
  int done = 0;
  std::jthread other([&]() {
    for (int i = 0; i < kWork; ++i) {
      queue_.push([&]() { ++done; });
      if (i % 1'000 == 999) std::this_thread::sleep_for(20ms);
      if (i % 3 == 0) std::this_thread::sleep_for(20us);
    }
    queue_.push([this]() { ended_ = true; });
  });
  run();
  EXPECT_EQ(done, kWork);
}

// Two ends that make each other readable, for ever.
kj::Promise<void> rally(kj::UnixEventPort::FdObserver& readable, int fd, const bool& ended) {
  return readable.whenBecomesReadable().then([&readable, fd, &ended]() -> kj::Promise<void> {
    auto next = rally(readable, fd, ended);
    std::uint64_t count = 0;
    EXPECT_EQ(::read(fd, &count, sizeof count), static_cast<ssize_t>(sizeof count));
    EXPECT_EQ(::write(fd, &count, sizeof count), static_cast<ssize_t>(sizeof count));
    if (ended) return kj::READY_NOW;
    return next;
  });
}

TEST_F(WakefulLoops, EndUnderALoadThatNeverRests) {
  const kj::AutoCloseFd fd(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  ASSERT_GE(fd.get(), 0);
  kj::UnixEventPort::FdObserver readable(loop_.unixEventPort, fd,
                                         kj::UnixEventPort::FdObserver::OBSERVE_READ);
  auto& timer = loop_.provider->getTimer();
  kj::Promise<void> load = kj::READY_NOW;
  std::jthread other([&]() {
    for (int i = 0; i < 50; ++i) {  // so that it is awake
      queue_.push([]() {});
      std::this_thread::sleep_for(30us);
    }
    queue_.push([&]() { load = rally(readable, fd, ended_).eagerlyEvaluate(nullptr); });
  });
  const auto watchdog =
      timer.afterDelay(10 * kj::SECONDS).then([this]() { ended_ = true; }).eagerlyEvaluate(nullptr);
  const auto serving = serve().eagerlyEvaluate(nullptr);
  WakefulLoop(loop_, arrivals_).run(timer.afterDelay(100 * kj::MILLISECONDS));
  EXPECT_FALSE(ended_);
}

// How often it sleeps depends on what else the machine does: seen once is enough.
TEST_F(WakefulLoops, StayAwakeWhereWorkComesQuickly) {
  constexpr std::uint64_t kWork = 200;
  std::uint64_t fewest = kWork;
  for (int round = 0; round < 300 && fewest > kWork / 2; ++round) {
    ended_ = false;
    std::jthread other([&]() {
      for (std::uint64_t i = 0; i < kWork; ++i) {
        queue_.push([]() {});
        std::this_thread::sleep_for(50us);
      }
      queue_.push([this]() { ended_ = true; });
    });
    WakefulLoop loop(loop_, arrivals_);
    loop.run(serve());
    fewest = std::min(fewest, loop.sleeps());
  }
  EXPECT_LE(fewest, kWork / 2);
}

TEST_F(WakefulLoops, WhatEndsItWhileItWatchesInVainEndsIt) {
  auto& timer = loop_.provider->getTimer();
  for (int i = 0; i < 20; ++i) {
    auto end = kj::newPromiseAndFulfiller<void>();
    kj::Promise<void> timed = kj::READY_NOW;
    bool late = false;
    std::jthread other([&](std::stop_token stop) {
      for (int k = 0; k < 50; ++k) {  // so that it is awake
        queue_.push([]() {});
        std::this_thread::sleep_for(30us);
      }
      queue_.push([&]() {  // and nothing counted comes behind this
        timed = timer.afterDelay(60 * kj::MICROSECONDS)
                    .then([&]() { end.fulfiller->fulfill(); })
                    .eagerlyEvaluate(nullptr);
      });
      for (int k = 0; k < 5'000 && !stop.stop_requested(); ++k) std::this_thread::sleep_for(2ms);
      if (!stop.stop_requested()) queue_.push([&]() { late = true; });
    });
    ended_ = false;
    const auto serving = serve().eagerlyEvaluate(nullptr);
    WakefulLoop(loop_, arrivals_).run(kj::mv(end.promise));
    EXPECT_FALSE(late);
  }
}

TEST_F(WakefulLoops, AtRestItTakesNoProcessor) {
  std::jthread other([&]() {
    for (int i = 0; i < 100; ++i) {
      queue_.push([]() {});
      std::this_thread::sleep_for(30us);
    }
    std::this_thread::sleep_for(1s);
    queue_.push([this]() { ended_ = true; });
  });
  const auto before = processor_time();
  run();
  EXPECT_LT(processor_time() - before, 500ms);
}

}  // namespace
}  // namespace esdb::protocol
