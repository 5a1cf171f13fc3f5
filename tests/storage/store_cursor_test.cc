#include "storage/store_cursor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <random>
#include <thread>

#include "storage/embedded_store.h"
#include "tests/fixtures/test_run.h"

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;
using Clock = std::chrono::steady_clock;

constexpr auto kLong = 20s;

class StoreCursors : public ::testing::Test {
 protected:
  void append(int count = 1) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(store_->append("s", {.type = "T"}));
  }
  Cursor subscription() { return store_->subscribe(everything()); }

  std::unique_ptr<EventStore> store_ = open_memory({.timeout = kLong}).value();
};

// The answer of one next() with a completion.
struct Answer {
  Completion<Batch> completion() {
    return [this](Result<Batch> batch) { promise.set_value(std::move(batch)); };
  }
  bool came(Clock::duration within = kLong) {
    return future.wait_for(within) == std::future_status::ready;
  }
  Result<Batch> get() {
    if (!came()) return std::unexpected(Error{.message = "the completion never ran"});
    return future.get();
  }
  std::promise<Result<Batch>> promise{};
  std::future<Result<Batch>> future = promise.get_future();
};

ErrorCode code_of(const Result<Batch>& batch) { return batch ? ErrorCode{} : batch.error().code; }

// ---- waiting

TEST_F(StoreCursors, ASubscriptionWaitsForWhatIsNew) {
  auto cursor = subscription();
  auto waits = std::async(std::launch::async, [&] { return cursor.next(); });
  EXPECT_EQ(waits.wait_for(20ms), std::future_status::timeout);
  append();
  ASSERT_EQ(waits.wait_for(kLong), std::future_status::ready);
  EXPECT_EQ(waits.get()->size(), 1U);
}

TEST_F(StoreCursors, WithoutAnythingNewItGivesAnEmptyBatchWhenItsTimeIsOver) {
  append();
  auto cursor = store_->subscribe(everything(), Start::end());
  const auto batch = cursor.next({.wait = 5ms});
  ASSERT_TRUE(batch);
  EXPECT_TRUE(batch->empty() && batch->caught_up() && !batch->finished());
  Answer answer;
  cursor.next({.wait = 5ms}, answer.completion());
  EXPECT_TRUE(answer.get()->empty());
  EXPECT_TRUE(cursor.next({.wait = 0ms})->empty());
}

// More than one look takes, and nothing in it matches.
TEST_F(StoreCursors, ALongScanKeepsToItsWait) {
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(store_->append("s", {.type = "T", .data = std::string(900'000, 'x')}));
  const auto expect_part = [](const Result<Batch>& batch) {
    ASSERT_TRUE(batch);
    EXPECT_TRUE(batch->empty() && !batch->finished());
    EXPECT_GT(batch->considered(), Position{0});
    EXPECT_LT(batch->considered(), Position{40});
  };
  auto blocking = store_->read(types({"Wanted"}));
  expect_part(blocking.next({.wait = 0ms}));
  EXPECT_EQ(blocking.next()->considered(), Position{40});
  auto completing = store_->read(types({"Wanted"}));
  Answer part, rest;
  completing.next({.wait = 0ms}, part.completion());
  expect_part(part.get());
  completing.next({}, rest.completion());
  EXPECT_EQ(rest.get()->considered(), Position{40});
}

TEST_F(StoreCursors, NoMoveIsMissedBetweenTheLookAndTheWait) {
  auto blocking = subscription();
  auto completing = subscription();
  constexpr int kEvents = 2'000;
  std::jthread writer([&] { append(kEvents); });
  int blocked = 0;
  std::jthread reader([&] {
    while (blocked < kEvents) {
      const auto batch = blocking.next({.wait = kLong});
      if (!batch || batch->empty()) return;
      blocked += static_cast<int>(batch->size());
    }
  });
  int completed = 0;
  while (completed < kEvents) {
    Answer answer;
    completing.next({.wait = kLong}, answer.completion());
    const auto batch = answer.get();
    ASSERT_TRUE(batch && !batch->empty());
    completed += static_cast<int>(batch->size());
  }
  reader.join();
  EXPECT_EQ(blocked, kEvents);
  EXPECT_EQ(completed, kEvents);
}

// ---- cancel and stop

TEST_F(StoreCursors, CancelEndsTheNextInFlightAndNoOther) {
  auto cursor = subscription();
  cursor.cancel();
  auto waits = std::async(std::launch::async, [&] { return cursor.next(); });
  EXPECT_EQ(waits.wait_for(20ms), std::future_status::timeout) << "one that came before ends none";
  cursor.cancel();
  EXPECT_EQ(code_of(waits.get()), ErrorCode::kCancelled);
  append();
  EXPECT_EQ(cursor.next()->size(), 1U) << "the cursor stays usable";
  Answer answer;
  cursor.next({}, answer.completion());
  EXPECT_FALSE(answer.came(20ms));
  cursor.cancel();
  EXPECT_EQ(code_of(answer.get()), ErrorCode::kCancelled);
  append();
  EXPECT_EQ(cursor.next()->size(), 1U);
}

TEST_F(StoreCursors, ACancelThatMeetsANextAtAnyMomentIsNotLost) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  auto cursor = subscription();
  std::atomic<bool> ended{false};
  std::jthread canceller([&] {
    while (!ended) {
      cursor.cancel();
      std::this_thread::sleep_for(20us);
    }
  });
  for (int round = 0; round < 300; ++round) {
    if (round % 2 == 0) {
      ASSERT_EQ(code_of(cursor.next({.wait = kLong})), ErrorCode::kCancelled);
    } else {
      Answer answer;
      cursor.next({.wait = kLong}, answer.completion());
      ASSERT_EQ(code_of(answer.get()), ErrorCode::kCancelled);
    }
  }
  ended = true;
}

TEST_F(StoreCursors, AStopTokenEndsTheWait) {
  for (const bool before : {false, true}) {
    auto cursor = subscription();
    std::stop_source stop;
    if (before) stop.request_stop();
    Answer answer;
    cursor.next({.stop = stop.get_token()}, answer.completion());
    EXPECT_TRUE(before || !answer.came(10ms));
    stop.request_stop();
    EXPECT_EQ(code_of(answer.get()), ErrorCode::kCancelled);
    std::stop_source other;
    if (before) other.request_stop();
    auto waits =
        std::async(std::launch::async, [&] { return cursor.next({.stop = other.get_token()}); });
    EXPECT_TRUE(before || waits.wait_for(10ms) == std::future_status::timeout);
    other.request_stop();
    EXPECT_EQ(code_of(waits.get()), ErrorCode::kCancelled);
  }
}

TEST_F(StoreCursors, ASecondNextIsRefusedWhileOneIsInFlight) {
  auto cursor = subscription();
  Answer first, second;
  cursor.next({}, first.completion());
  cursor.next({}, second.completion());
  EXPECT_EQ(code_of(second.get()), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of(cursor.next({.wait = 1ms})), ErrorCode::kInvalidArgument);
  append();
  EXPECT_EQ(first.get()->size(), 1U);
}

// ---- the cursor's end

TEST_F(StoreCursors, WhenItIsGoneItsCompletionHasRunOrNeverWillAndIsFreed) {
  const auto owned = std::make_shared<int>(1);
  std::atomic<int> ran{0};
  {
    auto cursor = subscription();
    cursor.next({}, [&ran, owned](Result<Batch>) { ++ran; });
    EXPECT_EQ(owned.use_count(), 2);
  }
  EXPECT_EQ(owned.use_count(), 1) << "what a dropped completion holds is let go of at once";
  append();
  EXPECT_EQ(ran, 0);
}

TEST_F(StoreCursors, DestroyingItWaitsForItsCompletionToEnd) {
  for (int round = 0; round < 200; ++round) {
    append();
    std::atomic<bool> inside{false}, gone{false}, late{false};
    auto cursor = std::make_unique<Cursor>(subscription());
    cursor->next({}, [&](Result<Batch>) {
      inside = true;
      std::this_thread::sleep_for(50us);
      if (gone) late = true;
      inside = false;
    });
    if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(round));
    cursor.reset();
    EXPECT_FALSE(inside);
    gone = true;
    ASSERT_FALSE(late);
  }
}

TEST_F(StoreCursors, ItMayBeDestroyedInItsOwnCompletion) {
  append();
  auto cursor = std::make_unique<Cursor>(subscription());
  std::promise<std::size_t> seen;
  cursor->next({}, [&](Result<Batch> batch) {
    const auto size = batch->size();
    cursor.reset();
    seen.set_value(size);
  });
  auto future = seen.get_future();
  ASSERT_EQ(future.wait_for(kLong), std::future_status::ready);
  EXPECT_EQ(future.get(), 1U);
}

TEST_F(StoreCursors, ItsCompletionMayAskForTheNextBatch) {
  append(500);
  auto cursor = store_->read(everything());
  std::promise<std::size_t> all;
  std::size_t count = 0;
  std::function<void(Result<Batch>)> take = [&](Result<Batch> batch) {
    if (!batch) return all.set_value(0);
    count += batch->size();
    if (batch->finished()) return all.set_value(count);
    cursor.next({.max_bytes = 1'000}, take);
  };
  cursor.next({.max_bytes = 1'000}, take);
  auto future = all.get_future();
  ASSERT_EQ(future.wait_for(kLong), std::future_status::ready);
  EXPECT_EQ(future.get(), 500U);
}

TEST_F(StoreCursors, ACompletionMayDestroyItsCursorAfterAskingForMore) {
  for (int round = 0; round < 100; ++round) {
    append();
    auto cursor = std::make_unique<Cursor>(subscription());
    std::promise<void> ended;
    std::atomic<int> second{0};
    cursor->next({}, [&](Result<Batch>) {
      cursor->next({}, [&](Result<Batch>) { ++second; });
      cursor.reset();
      ended.set_value();
    });
    ASSERT_EQ(ended.get_future().wait_for(kLong), std::future_status::ready);
    append();
    EXPECT_EQ(second, 0);
  }
}

TEST_F(StoreCursors, OutlivingItsStoreItAnswersClosed) {
  append(3);
  auto fresh = subscription();
  auto used = subscription();
  ASSERT_EQ(used.next()->size(), 3U);
  Answer waiting;
  auto blocked = subscription();
  ASSERT_TRUE(blocked.next());
  blocked.next({}, waiting.completion());
  store_.reset();
  EXPECT_EQ(code_of(waiting.get()), ErrorCode::kClosed);
  for (auto* cursor : {&fresh, &used, &blocked}) {
    EXPECT_EQ(code_of(cursor->next()), ErrorCode::kClosed);
    Answer answer;
    cursor->next({}, answer.completion());
    EXPECT_EQ(code_of(answer.get()), ErrorCode::kClosed);
    cursor->cancel();
  }
}

TEST_F(StoreCursors, ABatchOutlivesItsCursorAndItsStore) {
  append(100);
  Batch batch = *store_->read(everything()).next();
  store_.reset();
  std::uint64_t position = 0;
  for (const auto event : batch) {
    EXPECT_EQ(event.position(), Position{++position});
    EXPECT_EQ(event.type(), "T");
  }
  EXPECT_EQ(position, 100U);
}

TEST_F(StoreCursors, ManySubscribersThatComeAndGoAllSeeEverythingInOrder) {
  constexpr int kEvents = 300;
  std::atomic<int> wrong{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      Position seen{};
      while (seen.value < kEvents) {
        auto cursor = store_->subscribe(everything(), Start::after(seen));
        Result<Batch> batch = std::unexpected(Error{});
        if (t % 2 == 0) {
          batch = cursor.next({.max_bytes = 500, .wait = kLong});
        } else {
          Answer answer;
          cursor.next({.max_bytes = 500, .wait = kLong}, answer.completion());
          batch = answer.get();
        }
        if (!batch) return void(++wrong);
        for (const auto event : *batch) {
          if (event.position().value != seen.value + 1) ++wrong;
          seen = event.position();
        }
      }
    });
  append(kEvents);
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace esdb::storage
