#include "storage/reader_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <map>
#include <thread>

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Clock = std::chrono::steady_clock;

using Outcome = ReaderPool::Outcome;

constexpr auto kLong = 20s;

std::shared_ptr<Place> place(Clock::time_point deadline = Clock::time_point::max()) {
  auto made = std::make_shared<Place>(Reader(Reader::Kind::kRead, everything(), {}));
  made->deadline = deadline;
  return made;
}

// A log of which nothing is known but how far it has come; a place is answered once it has moved.
struct Pool {
  explicit Pool(std::size_t threads)
      : readers(
            threads,
            [this](Place& at) -> ReaderPool::Attempted {
              ++attempts;
              if (moved.load() || closing.load() || Clock::now() >= at.deadline)
                return {Outcome::kBatch, Batch(nullptr, {})};
              return {Outcome::kNothingYet, {}};
            },
            [this](std::shared_ptr<Place>, Result<Batch>) {
              ++delivered;
              delivered.notify_all();
            }) {}
  void wait_for(int count) {
    const auto until = Clock::now() + kLong;
    while (delivered.load() < count && Clock::now() < until) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(delivered.load(), count);
  }
  void close() {
    closing = true;
    readers.close();
  }
  ~Pool() { close(); }

  std::atomic<int> attempts{0}, delivered{0};
  std::atomic<bool> moved{false}, closing{false};
  ReaderPool readers;
};

TEST(ReaderPool, AttemptsAPlaceAndDeliversItsBatch) {
  Pool pool(2);
  pool.moved = true;
  for (int i = 0; i < 100; ++i) pool.readers.put(place());
  pool.wait_for(100);
  EXPECT_EQ(pool.attempts, 100);
}

TEST(ReaderPool, APlaceThatFindsNothingWaitsUntilTheLogMoves) {
  Pool pool(2);
  for (int i = 0; i < 10; ++i) pool.readers.put(place());
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(pool.delivered, 0);
  EXPECT_LE(pool.attempts, 20) << "it waits without turning round and round";
  pool.moved = true;
  pool.readers.moved();
  pool.wait_for(10);
}

TEST(ReaderPool, WhatCannotBeReadNowIsAttemptedAgainThoughTheLogDoesNotMove) {
  std::atomic<int> attempts{0}, delivered{0};
  ReaderPool readers(
      1,
      [&](Place&) -> ReaderPool::Attempted {
        if (++attempts < 3) return {Outcome::kNotNow, {}};
        return {Outcome::kBatch, Batch(nullptr, {})};
      },
      [&](std::shared_ptr<Place>, Result<Batch>) { ++delivered; });
  readers.put(place());
  const auto until = Clock::now() + kLong;
  while (delivered == 0 && Clock::now() < until) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(delivered, 1);
  EXPECT_EQ(attempts, 3);
}

TEST(ReaderPool, APlacesTimeComesWhileOthersWaitOn) {
  Pool pool(1);
  for (int i = 0; i < 50; ++i) pool.readers.put(place());
  for (int i = 1; i <= 20; ++i) pool.readers.put(place(Clock::now() + i * 2ms));
  pool.wait_for(20);
  EXPECT_LE(pool.attempts, 50 + 20 + 60) << "those whose time is not over are let alone";
}

TEST(ReaderPool, AMoveDuringAnAttemptIsNotMissed) {
  for (int round = 0; round < 300; ++round) {
    Pool pool(2);
    pool.readers.put(place());
    if (round % 3 == 0) std::this_thread::yield();
    pool.moved = true;
    pool.readers.moved();
    pool.wait_for(1);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(ReaderPool, ASlowAttemptDoesNotHoldUpThePlaceBehindIt) {
  std::latch first_may_end(1);
  std::atomic<int> attempts{0}, delivered{0};
  ReaderPool readers(
      2,
      [&](Place&) -> ReaderPool::Attempted {
        if (attempts++ == 0) first_may_end.wait();
        return {Outcome::kBatch, Batch(nullptr, {})};
      },
      [&](std::shared_ptr<Place>, Result<Batch>) { ++delivered; });
  readers.put(place());
  readers.put(place());
  const auto until = Clock::now() + kLong;
  while (delivered == 0 && Clock::now() < until) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(delivered, 1);
  first_may_end.count_down();
  readers.close();
  EXPECT_EQ(delivered, 2);
}

TEST(ReaderPool, AShortPlacePassesAsManyLongOnesAsThereAreThreads) {
  for (const int threads : {1, 2}) {
    std::atomic<int> delivered{0};
    std::atomic<bool> closing{false};
    std::shared_ptr<Place> brief = place();
    ReaderPool readers(
        static_cast<std::size_t>(threads),
        [&](Place& at) -> ReaderPool::Attempted {
          if (&at != brief.get() && delivered == 0 && !closing) return {Outcome::kMore, {}};
          return {Outcome::kBatch, Batch(nullptr, {})};
        },
        [&](std::shared_ptr<Place>, Result<Batch>) { ++delivered; });
    for (int i = 0; i < threads; ++i) readers.put(place());
    readers.put(brief);
    const auto until = Clock::now() + kLong;
    while (delivered < threads + 1 && Clock::now() < until) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(delivered, threads + 1) << threads << " threads";
    closing = true;
    readers.close();
  }
}

TEST(ReaderPool, ClosingAttemptsEveryPlaceOnceMore) {
  Pool pool(2);
  for (int i = 0; i < 10; ++i) pool.readers.put(place());
  pool.close();
  EXPECT_EQ(pool.delivered, 10);
}

TEST(ReaderPool, APlaceThatIsPutWhenItIsClosedIsAnsweredAllTheSame) {
  Pool pool(2);
  pool.close();
  pool.readers.put(place());
  EXPECT_EQ(pool.delivered, 1);
}

TEST(ReaderPool, PlacesThatComeWhileItClosesAreAllAnswered) {
  for (int round = 0; round < 50; ++round) {
    Pool pool(2);
    std::atomic<int> put{0};
    std::jthread other([&] {
      for (int i = 0; i < 50; ++i) {
        pool.readers.put(place());
        ++put;
      }
    });
    while (put < round % 40) std::this_thread::yield();
    pool.close();
    other.join();
    EXPECT_EQ(pool.delivered, 50);
  }
}

}  // namespace
}  // namespace esdb::storage
