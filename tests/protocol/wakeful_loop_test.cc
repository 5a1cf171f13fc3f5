#include "protocol/wakeful_loop.h"

#include <gtest/gtest.h>
#include <time.h>

#include <thread>

#include "protocol/loop_queue.h"

namespace esdb::protocol {
namespace {

using namespace std::chrono_literals;

TEST(Wakefulness, SleepsUntilSleepsAreShort) {
  Wakefulness wakefulness;
  EXPECT_FALSE(wakefulness.stays_awake());
  wakefulness.slept(10ms);
  EXPECT_FALSE(wakefulness.stays_awake());
  wakefulness.slept(60us);
  EXPECT_TRUE(wakefulness.stays_awake());
  wakefulness.slept(10ms);
  EXPECT_FALSE(wakefulness.stays_awake());
}

TEST(Wakefulness, EndsAfterAFewVainMoments) {
  Wakefulness wakefulness;
  wakefulness.slept(60us);
  wakefulness.watched(false);
  int vain = 0;
  for (; wakefulness.stays_awake(); ++vain) {
    wakefulness.watched(true);
    wakefulness.slept(10us);  // what comes just behind the moment does not keep it awake for ever
    wakefulness.slept(1s);
    ASSERT_LT(vain, 10);
  }
  EXPECT_EQ(vain, 1);
}

TEST(Wakefulness, GivesWayWhereProcessorsAreWanted) {
  Wakefulness wakefulness;
  wakefulness.slept(60us);
  wakefulness.crowded();
  for (int i = 0; i < 32; ++i) wakefulness.slept(60us);
  EXPECT_FALSE(wakefulness.stays_awake());
  for (int i = 0; i < 64; ++i) wakefulness.slept(60us);
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

TEST_F(WakefulLoops, TimersAreKeptWhileAwake) {
  int done = 0;
  auto& timer = loop_.provider->getTimer();
  auto timed = timer.afterDelay(30 * kj::MILLISECONDS).then([&]() { ended_ = true; });
  const auto eager = timed.eagerlyEvaluate(nullptr);
  std::jthread other([&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      if (!queue_.push([&]() { ++done; })) return;
      std::this_thread::sleep_for(50us);
    }
  });
  run();
  EXPECT_TRUE(ended_);
  EXPECT_GT(done, 0);
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
