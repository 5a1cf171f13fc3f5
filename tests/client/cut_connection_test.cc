// What a remote store promises while its connection is cut at random moments: every append exactly
// once, every cursor without gap or duplicate.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "client/remote_store.h"
#include "tests/client/cutting_proxy.h"
#include "tests/fixtures/reference_store.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"
#include "tests/server/running_server.h"

namespace esdb::tests {
namespace {

using namespace std::chrono_literals;

NewEvent numbered(int number) {
  return {.stream = "s-" + std::to_string(number % 7),
          .type = "Numbered",
          .data = std::to_string(number)};
}

class CutConnection : public testing::Test {
 protected:
  CutConnection()
      : seed_(fixtures::seed()),
        served_(fixtures::make_reference_store(OpenOptions{.drive = Drive::kCaller})),
        server_(*served_, {"unix:" + scratch_.path() + "/server"}) {
    std::cout << "seed " << seed_ << "\n";
  }

  // Opens through a proxy that has already begun to cut: tried until it gets through.
  std::unique_ptr<EventStore> open_through(std::uint64_t bytes_max) {
    proxy_ = std::make_unique<CuttingProxy>(
        scratch_.path() + "/proxy", scratch_.path() + "/server",
        CuttingProxy::Options{.seed = seed_, .bytes_max = bytes_max});
    for (;;) {
      auto store = client::open_remote(
          client::parse_address("unix:" + scratch_.path() + "/proxy").value(), {.timeout = 60s});
      if (store) return *std::move(store);
    }
  }
  std::unique_ptr<EventStore> open_directly() {
    return client::open_remote(client::parse_address(server_.url()).value(), {}).value();
  }
  void fill(int events) {
    auto store = open_directly();
    for (int i = 0; i < events;) {
      std::vector<NewEvent> some;
      for (int j = 0; j < 100 && i < events; ++j) some.push_back(numbered(i++));
      store->append({.events = std::move(some)}).value();
    }
  }
  // How often each number is in the log.
  std::map<std::string, int> numbers() {
    std::map<std::string, int> found;
    open_directly()
        ->for_each(everything(), {},
                   [&](RecordedEvent event) { ++found[std::string(event.data())]; })
        .value();
    return found;
  }

  std::uint64_t seed_;
  fixtures::ScratchDirectory scratch_;
  std::unique_ptr<EventStore> served_;
  RunningServer server_;
  std::unique_ptr<CuttingProxy> proxy_;
};

TEST_F(CutConnection, EveryBlockingAppendIsInTheLogExactlyOnce) {
  auto store = open_through(20'000);
  constexpr int kThreads = 3, kEach = 150;
  std::atomic<int> unsettled = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t]() {
      for (int i = 0; i < kEach; ++i)
        if (!store->append({.events = {numbered(t * kEach + i)}})) ++unsettled;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(unsettled, 0);
  EXPECT_GT(proxy_->cuts(), 0u);
  const auto found = numbers();
  EXPECT_EQ(found.size(), std::size_t{kThreads * kEach});
  for (const auto& [number, times] : found) EXPECT_EQ(times, 1) << number;
}

TEST_F(CutConnection, ManyAppendsInFlightAreInTheLogExactlyOnceAndInOrder) {
  auto store = open_through(100'000);
  constexpr int kAppends = 1000;
  std::mutex mutex;
  std::condition_variable changed;
  int in_flight = 0, failed = 0;
  for (int i = 0; i < kAppends; ++i) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&]() { return in_flight < 64; });
    ++in_flight;
    lock.unlock();
    store->append(EncodedAppend::encode({.events = {numbered(i)}}).value(), {.session = 1},
                  [&](Result<Appended> appended) {
                    const std::lock_guard done(mutex);
                    --in_flight;
                    if (!appended) ++failed;
                    changed.notify_one();
                  });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&]() { return in_flight == 0; });
  EXPECT_EQ(failed, 0);
  EXPECT_GT(proxy_->cuts(), 0u);
  int expected = 0;
  open_directly()
      ->for_each(everything(), {},
                 [&](RecordedEvent event) {
                   EXPECT_EQ(event.data(), std::to_string(expected))
                       << "at " << event.position().value;
                   ++expected;
                 })
      .value();
  EXPECT_EQ(expected, kAppends);
}

TEST_F(CutConnection, AReadGoesOnWithoutGapOrDuplicateForwardsAndBackwards) {
  constexpr std::uint64_t kEvents = 5000;
  fill(kEvents);
  auto store = open_through(60'000);
  for (const auto direction : {Direction::kForwards, Direction::kBackwards}) {
    auto cursor = store->read(everything(), {.direction = direction});
    std::uint64_t given = 0;
    for (bool finished = false; !finished;) {
      const auto batch = cursor.next({.max_bytes = 4096}).value();
      for (auto event : batch) {
        ++given;
        ASSERT_EQ(event.position().value,
                  direction == Direction::kForwards ? given : kEvents + 1 - given);
      }
      finished = batch.finished();
    }
    EXPECT_EQ(given, kEvents);
  }
  EXPECT_GT(proxy_->cuts(), 0u);
}

TEST_F(CutConnection, ALimitedReadGivesAsManyAsWereAskedFor) {
  fill(3000);
  auto store = open_through(40'000);
  auto cursor = store->read(everything(), {.start = Start::after(Position{500}), .limit = 2000});
  std::uint64_t given = 0;
  for (bool finished = false; !finished;) {
    const auto batch = cursor.next({.max_bytes = 2048}).value();
    for (auto event : batch) ASSERT_EQ(event.position().value, 500 + ++given);
    finished = batch.finished();
  }
  EXPECT_EQ(given, 2000u);
}

TEST_F(CutConnection, ASubscriptionGoesOnWhileEventsAreWritten) {
  constexpr std::uint64_t kEvents = 2000;
  auto store = open_through(40'000);
  auto cursor = store->subscribe(everything(), Start::end());
  // Where the end is, is known once next() has answered.
  ASSERT_TRUE(cursor.next({.wait = 0ms}).value().empty());
  std::thread writer([&]() {
    auto direct = open_directly();
    for (std::uint64_t i = 0; i < kEvents; i += 10) {
      std::vector<NewEvent> some;
      for (int j = 0; j < 10; ++j) some.push_back(numbered(static_cast<int>(i) + j));
      direct->append({.events = std::move(some)}).value();
    }
  });
  std::uint64_t given = 0;
  while (given < kEvents) {
    const auto batch = cursor.next({.max_bytes = 2048}).value();
    for (auto event : batch) ASSERT_EQ(event.position().value, ++given);
  }
  writer.join();
  EXPECT_GT(proxy_->cuts(), 0u);
}

}  // namespace
}  // namespace esdb::tests
