#include "storage/embedded_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <latch>
#include <random>
#include <set>
#include <thread>

#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Clock = std::chrono::steady_clock;

// Long enough for any machine, short enough to notice; nothing waits for it when all is well.
constexpr auto kLong = 20s;

std::unique_ptr<EventStore> memory(const OpenOptions& options = {}) {
  return open_memory(options).value();
}

EncodedAppend encoded(const std::string& stream, std::size_t bytes = 10) {
  return EncodedAppend::encode(
             {.events = {{.stream = stream, .type = "T", .data = std::string(bytes, 'x')}}})
      .value();
}

bool readable(int fd) {
  pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, 0) == 1;
}

// ---- blocking callers

TEST(EmbeddedStore, ABlockingRetryIsAnsweredAtOnce) {
  const auto store = memory();
  const auto append = encoded("s");
  ASSERT_TRUE(store->append(append));
  const auto begun = Clock::now();
  const auto retry = store->append(append, {.timeout = kLong});
  ASSERT_TRUE(retry);
  EXPECT_TRUE(retry->repeated);
  EXPECT_LT(Clock::now() - begun, kLong / 2) << "nobody woke the caller that drives the store";
}

TEST(EmbeddedStore, EightThreadsOfBlockingAppendsAllFinish) {
  for (const auto drive : {Drive::kOwnThread, Drive::kCaller}) {
    const auto store = memory({.timeout = kLong, .drive = drive});
    std::atomic<int> failed{0};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        const auto stream = "s" + std::to_string(t);
        for (std::uint64_t i = 0; i < 1'000; ++i) {
          const auto answer =
              store->append(stream, Expect::exactly(i), {{.type = "T"}}, {.timeout = kLong});
          if (!answer || answer->version() != Version{i + 1}) ++failed;
        }
      });
    threads.clear();
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(store->statistics()->durable, Position{8'000});
  }
}

TEST(EmbeddedStore, RacesForOneStreamHaveOneWinnerAVersion) {
  const auto store = memory({.timeout = kLong});
  std::atomic<std::uint64_t> won{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < 300; ++i) {
        const auto answer = store->append("s", Expect::exactly(i), {{.type = "T"}});
        if (answer)
          ++won;
        else
          EXPECT_EQ(answer.error().code, ErrorCode::kConflict);
        while (store->stream_info("s")->version.value <= i) std::this_thread::yield();
      }
    });
  threads.clear();
  EXPECT_EQ(won, 300U);
}

TEST(EmbeddedStore, WhatIsAcknowledgedIsSeenByEveryThreadAfterwards) {
  const auto store = memory({.timeout = kLong});
  std::vector<std::jthread> threads;
  std::atomic<int> missed{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const auto name = "s" + std::to_string(t);
      for (int i = 1; i <= 200; ++i) {
        const auto appended = store->append(name, {.type = "T"});
        auto batch =
            store->read(stream(name), {.direction = Direction::kBackwards, .limit = 1}).next();
        if (!appended || !batch || batch->empty() || (*batch->begin()).position() != appended->last)
          ++missed;
      }
    });
  threads.clear();
  EXPECT_EQ(missed, 0);
}

TEST(EmbeddedStore, ADeadlineThatHasPassedWritesNothing) {
  const auto store = memory();
  const auto answer = store->append(encoded("s"), {.timeout = -1ms});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kTimedOut);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = store->append(encoded("s"), {.stop = stop.get_token()});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  ASSERT_TRUE(store->append(encoded("t")));
  EXPECT_EQ(store->stream_info("s")->version, Version{0});
}

// Whatever the refusal rests on, and however far that has come when the deadline passes.
TEST(EmbeddedStore, AnAppendThatDoesNotHoldNeverHasAnUnknownOutcome) {
  const fixtures::ScratchDirectory directory;
  const auto store = open_directory(directory.path(), {.create = Create::kIfMissing}).value();
  std::atomic<bool> stopping = false;
  std::jthread other([&] {
    while (!stopping) store->append(encoded("s", 200'000), {}).value();
  });
  for (int i = 0; i < 200; ++i) {
    const auto refused = store->append("s", Expect::exactly(1'000'000), {{.type = "T"}},
                                       {.timeout = std::chrono::milliseconds(1 + i % 3)});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().code, ErrorCode::kOutcomeUnknown) << refused.error().message;
  }
  stopping = true;
}

TEST(EmbeddedStore, AVeryLongTimeoutIsForEver) {
  const auto store = memory();
  EXPECT_TRUE(store->append(encoded("s"), {.timeout = kForever}));
  EXPECT_TRUE(store->append(encoded("s"), {.timeout = kForever - 1ms}));
}

// ---- completions

TEST(EmbeddedStore, CompletionsComeInLogOrderAndNotInsideTheCall) {
  const auto store = memory();
  std::vector<Position> order;
  std::atomic<int> left{500};
  std::promise<void> all;
  std::thread::id inside{};
  for (int i = 0; i < 500; ++i)
    store->append(encoded("s" + std::to_string(i % 7)), {}, [&](Result<Appended> answer) {
      inside = std::this_thread::get_id();
      order.push_back(answer ? answer->first : Position{});
      if (--left == 0) all.set_value();
    });
  ASSERT_EQ(all.get_future().wait_for(kLong), std::future_status::ready);
  EXPECT_NE(inside, std::this_thread::get_id());
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_EQ(order.front(), Position{1});
}

TEST(EmbeddedStore, ACompletionThatBlocksIsRefusedRatherThanHung) {
  const auto store = memory();
  std::promise<std::pair<ErrorCode, ErrorCode>> answered;
  store->append(encoded("s"), {}, [&](Result<Appended>) {
    auto append = store->append(encoded("t"));
    auto next = store->read(everything()).next();
    answered.set_value(
        {append ? ErrorCode{} : append.error().code, next ? ErrorCode{} : next.error().code});
  });
  auto future = answered.get_future();
  ASSERT_EQ(future.wait_for(kLong), std::future_status::ready);
  const auto [append, next] = future.get();
  EXPECT_EQ(append, ErrorCode::kInvalidArgument);
  EXPECT_EQ(next, ErrorCode::kInvalidArgument);
}

TEST(EmbeddedStore, AnswersThatWaitForASlowCompletionCountAsQueued) {
  const auto store = memory({.memory = kMemoryMin});
  std::latch blocked(1);
  std::atomic<int> answered{0}, overloaded{0};
  const auto count = [&](const Result<Appended>& result) {
    if (!result && result.error().code == ErrorCode::kOverloaded) ++overloaded;
    ++answered;
  };
  store->append(encoded("first"), {}, [&](Result<Appended> result) {
    blocked.wait();
    count(result);
  });
  constexpr int kAppends = 60;  // of 100 KB: more than the queue holds
  std::uint64_t durable = 0;
  for (int i = 0; i < kAppends; ++i) {
    store->append(encoded("s", 100'000), {}, count);
    for (int wait = 0; wait < 50 && store->statistics()->durable.value == durable; ++wait)
      std::this_thread::sleep_for(1ms);
    durable = store->statistics()->durable.value;
  }
  EXPECT_LT(durable, kAppends) << "they were all taken in while nobody ran their completions";
  blocked.count_down();
  store->close();
  EXPECT_EQ(answered, kAppends + 1);
  EXPECT_GT(overloaded, 0);
}

TEST(EmbeddedStore, ACompletionMayAppendWithACompletion) {
  const auto store = memory();
  std::promise<Result<Appended>> second;
  store->append(encoded("s"), {}, [&](Result<Appended>) {
    store->append(encoded("s"), {}, [&](Result<Appended> answer) { second.set_value(answer); });
  });
  auto future = second.get_future();
  ASSERT_EQ(future.wait_for(kLong), std::future_status::ready);
  EXPECT_EQ(future.get()->version(), Version{2});
}

// ---- the program drives

TEST(EmbeddedStore, AProgramsLoopDrivesByTheFdItIsGiven) {
  const auto store = memory({.drive = Drive::kCaller});
  ASSERT_GE(store->wake_fd(), 0);
  std::optional<Result<Appended>> answer;
  store->append(encoded("s"), {}, [&](Result<Appended> result) { answer = std::move(result); });
  EXPECT_FALSE(answer) << "nothing happens outside advance()";
  EXPECT_TRUE(readable(store->wake_fd()));
  for (int i = 0; i < 10 && readable(store->wake_fd()); ++i) store->advance();
  ASSERT_TRUE(answer && *answer);
  EXPECT_FALSE(readable(store->wake_fd())) << "an idle store leaves its program's loop asleep";
}

TEST(EmbeddedStore, ABlockingCallOnTheLoopsThreadDrivesByItself) {
  const auto store = memory({.drive = Drive::kCaller});
  int completed = 0;
  store->append(encoded("s"), {}, [&](Result<Appended>) { ++completed; });
  ASSERT_TRUE(store->append(encoded("s"), {.timeout = kLong}));
  EXPECT_EQ(completed, 0);
  EXPECT_TRUE(readable(store->wake_fd())) << "a completion waits for advance()";
  store->advance();
  EXPECT_EQ(completed, 1);
}

TEST(EmbeddedStore, ABlockingCallMakesRoomInAFullQueueItself) {
  const auto store = memory({.drive = Drive::kCaller, .memory = kMemoryMin});
  int completed = 0, refused = 0, put = 0;
  const auto count = [&](Result<Appended> answer) {
    ++completed;
    refused += !answer && answer.error().code == ErrorCode::kOverloaded ? 1 : 0;
  };
  for (; refused == 0 && put < 200; ++put) {
    store->append(encoded("s", 100'000), {}, count);
    if (put % 10 == 9 && put > 20) {
      // Refusals come from advance() as well, which would make room: look only now and then.
      const auto full = store->append(encoded("t"), {.timeout = kLong});
      ASSERT_TRUE(full) << full.error().message;
    }
  }
  store->advance();
  EXPECT_EQ(completed, put);
}

// Those with many events or with queries are prepared elsewhere; their order is kept all the same.
TEST(EmbeddedStore, ASessionsAppendsKeepTheirOrderWhereverTheyArePrepared) {
  const auto store = memory({.timeout = kLong, .drive = Drive::kCaller});
  constexpr std::uint64_t kAppends = 300;
  std::uint64_t answered = 0;
  for (std::uint64_t i = 0; i < kAppends; ++i) {
    AppendRequest append{.events = {{.stream = "s", .type = "T"}},
                         .checks = {Check::stream("s", Expect::exactly(i))}};
    if (i % 3 == 1) append.checks.push_back(Check::absent(types({"never"})));
    store->append(EncodedAppend::encode(append).value(), {.session = 5},
                  [&, i](Result<Appended> answer) {
                    EXPECT_EQ(answered++, i);
                    EXPECT_TRUE(answer && answer->version() == Version{i + 1});
                  });
    if (i % 7 == 0) store->advance();
  }
  const auto blocking = store->append(encoded("s"), {.session = 5});
  EXPECT_EQ(blocking->version(), Version{kAppends + 1});
  store->advance();
  EXPECT_EQ(answered, kAppends);
}

TEST(EmbeddedStore, ACompletionReachesTheLoopWhileAnotherThreadDrives) {
  const auto store = memory({.timeout = kLong, .drive = Drive::kCaller});
  ASSERT_TRUE(store->append(encoded("s")));
  auto waiting = store->subscribe(everything(), Start::end());
  std::jthread blocked([&] { (void)waiting.next({.wait = kLong}); });
  std::this_thread::sleep_for(50ms);  // it drives now, most likely
  auto cursor = store->read(everything());
  bool given = false;
  cursor.next({}, [&](Result<Batch> batch) { given = batch && batch->size() == 1; });
  const auto until = Clock::now() + kLong / 2;
  while (!given && Clock::now() < until) {
    pollfd watched{.fd = store->wake_fd(), .events = POLLIN, .revents = 0};
    if (::poll(&watched, 1, 1'000) == 1) store->advance();
  }
  EXPECT_TRUE(given);
  const auto begun = Clock::now();
  waiting.cancel();
  blocked.join();
  EXPECT_LT(Clock::now() - begun, kLong / 2) << "cancel() wakes a reader that drives";
}

// ---- the end

TEST(EmbeddedStore, CloseEndsBlockedCallsWithClosed) {
  const auto store = memory();
  auto cursor = store->subscribe(everything());
  auto blocked = std::async(std::launch::async, [&] { return cursor.next(); });
  std::promise<Result<Batch>> completed;
  auto other = store->subscribe(everything());
  other.next({}, [&](Result<Batch> batch) { completed.set_value(std::move(batch)); });
  std::this_thread::sleep_for(20ms);
  store->close();
  EXPECT_EQ(blocked.get().error().code, ErrorCode::kClosed);
  auto future = completed.get_future();
  ASSERT_EQ(future.wait_for(0s), std::future_status::ready) << "close() waits for completions";
  EXPECT_EQ(future.get().error().code, ErrorCode::kClosed);
  EXPECT_EQ(store->append(encoded("s")).error().code, ErrorCode::kClosed);
  EXPECT_EQ(store->statistics().error().code, ErrorCode::kClosed);
  EXPECT_EQ(cursor.next().error().code, ErrorCode::kClosed);
  store->close();
}

TEST(EmbeddedStore, CloseWaitsForWhatWasTakenUpAndItsCompletions) {
  for (int round = 0; round < 20; ++round) {
    const auto store = memory();
    int answered = 0, written = 0;
    for (int i = 0; i < 200; ++i)
      store->append(encoded("s"), {}, [&](Result<Appended> answer) {
        ++answered;
        written += answer ? 1 : 0;
        EXPECT_TRUE(answer || answer.error().code == ErrorCode::kClosed);
      });
    store->close();
    EXPECT_EQ(answered, 200);
  }
}

TEST(EmbeddedStore, CloseAmongBusyThreadsAnswersEveryOne) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 30; ++round) {
    auto store = memory({.timeout = kLong});
    std::atomic<int> asked{0}, answered{0};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (;;) {
          if (t % 2 == 0) {
            const auto answer = store->append(encoded("s" + std::to_string(t)));
            EXPECT_TRUE(answer || answer.error().code == ErrorCode::kClosed);
            if (!answer) return;
          } else {
            ++asked;
            std::atomic<bool> closed{false};
            std::latch done(1);
            auto cursor = store->read(everything(), {.limit = 1});
            cursor.next({}, [&](Result<Batch> batch) {
              closed = !batch && batch.error().code == ErrorCode::kClosed;
              ++answered;
              done.count_down();
            });
            done.wait();
            if (closed) return;
          }
        }
      });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
    store->close();
    threads.clear();
    EXPECT_EQ(asked, answered);
  }
}

TEST(EmbeddedStore, ADirectoryIsFreeOnceItsStoreIsClosedWhateverCursorsRemain) {
  const fixtures::ScratchDirectory directory;
  const auto path = directory.path() + "/store";
  auto store = open_directory(path, {}).value();
  ASSERT_TRUE(store->append(encoded("s")));
  auto cursor = store->read(everything());
  const auto batch = cursor.next().value();
  store.reset();
  EXPECT_EQ((*batch.begin()).stream(), "s") << "a batch outlives its store";
  EXPECT_EQ(cursor.next().error().code, ErrorCode::kClosed);
  auto again = open_directory(path, {});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*again)->stream_info("s")->version, Version{1});
}

TEST(EmbeddedStore, ARestartedStoreKnowsARetry) {
  const fixtures::ScratchDirectory directory;
  const auto path = directory.path() + "/store";
  const auto append = encoded("s");
  const auto first = open_directory(path, {}).value()->append(append).value();
  const auto retry = open_directory(path, {}).value()->append(append, {.timeout = kLong}).value();
  EXPECT_TRUE(retry.repeated);
  EXPECT_EQ(retry.first, first.first);
  EXPECT_EQ(retry.committed, first.committed);
}

TEST(EmbeddedStore, AStoreWhoseIndexIsBuiltAnewKnowsARetry) {
  const fixtures::ScratchDirectory directory;
  const auto path = directory.path() + "/store";
  const auto append = encoded("s");
  const auto first = open_directory(path, {}).value()->append(append).value();
  std::filesystem::remove_all(path + "/index");
  const auto retry = open_directory(path, {}).value()->append(append, {.timeout = kLong}).value();
  EXPECT_TRUE(retry.repeated);
  EXPECT_EQ(retry.first, first.first);
}

}  // namespace
}  // namespace esdb::storage
