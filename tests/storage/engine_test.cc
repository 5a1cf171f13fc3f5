#include "storage/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <random>
#include <thread>

#include "storage/embedded_store.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using ::testing::HasSubstr;

constexpr auto kLong = 60s;

OpenOptions small() {
  return {.timeout = kLong,
          .memory = kMemoryMin,
          .segment_bytes = kSegmentBytesMin,
          .event_bytes_max = kSegmentBytesMin / 4,
          .append_bytes_max = kSegmentBytesMin / 4};
}

TEST(Engine, LetsCallsInUntilItIsClosed) {
  auto engine = Engine::open({}, {}).value();
  std::promise<void> inside, may_go;
  auto call = std::async(std::launch::async, [&] {
    const auto entered = engine->enter();
    EXPECT_TRUE(entered);
    inside.set_value();
    may_go.get_future().wait();
  });
  inside.get_future().wait();
  auto closes = std::async(std::launch::async, [&] { engine->close(); });
  EXPECT_EQ(closes.wait_for(20ms), std::future_status::timeout) << "a call is in progress";
  EXPECT_TRUE(engine->is_closing());
  EXPECT_FALSE(engine->enter());
  may_go.set_value();
  closes.get();
  engine->close();
}

TEST(Engine, ACloseFromSeveralThreadsHappensOnce) {
  auto engine = Engine::open({}, {}).value();
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      engine->close();
      EXPECT_FALSE(engine->enter());
    });
}

TEST(Engine, AStoreThatDoesNotOpenLeavesNothingBehind) {
  const fixtures::ScratchDirectory directory;
  const auto path = directory.path() + "/store";
  auto missing = open_directory(path, {.create = Create::kNever});
  EXPECT_FALSE(missing);
  auto store = open_directory(path, {}).value();
  auto second = open_directory(path, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kLocked);
  store.reset();
  EXPECT_TRUE(open_directory(path, {}));
}

TEST(Engine, OptionsThatCannotBeAreRefused) {
  const auto code = [](const OpenOptions& options) {
    const auto store = open_memory(options);
    return store ? ErrorCode{} : store.error().code;
  };
  EXPECT_EQ(code({.memory = kMemoryMin - 1}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.segment_bytes = 3 << 20}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.segment_bytes = kSegmentBytesMin / 2}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.append_bytes_max = kAppendBytesCap + 1}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.event_bytes_max = 5 << 20}), ErrorCode::kInvalidArgument);
}

TEST(Engine, AReadOnlyStoreReadsAndRefusesAppends) {
  const fixtures::ScratchDirectory directory;
  const auto path = directory.path() + "/store";
  ASSERT_TRUE(open_directory(path, {}).value()->append("s", {.type = "T"}));
  auto store = open_directory(path, {.access = Access::kReadOnly}).value();
  EXPECT_EQ(store->read(everything()).next()->size(), 1U);
  EXPECT_EQ(store->append("s", {.type = "T"}).error().code, ErrorCode::kReadOnly);
  std::promise<ErrorCode> completed;
  store->append(EncodedAppend::encode({.events = {{.stream = "s", .type = "T"}}}).value(), {},
                [&](Result<Appended> answer) { completed.set_value(answer.error().code); });
  EXPECT_EQ(completed.get_future().get(), ErrorCode::kReadOnly);
  EXPECT_THAT(store->statistics()->state, HasSubstr("read_only"));
  auto cursor = store->subscribe(everything(), Start::end());
  EXPECT_TRUE(cursor.next({.wait = 1ms})->empty());
  std::promise<std::size_t> given;
  auto other = store->subscribe(everything());
  other.next({}, [&](Result<Batch> batch) { given.set_value(batch ? batch->size() : 0); });
  EXPECT_EQ(given.get_future().get(), 1U);
}

TEST(Engine, WhatWasAcknowledgedIsThereAfterEveryRestart) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const fixtures::ScratchDirectory directory;
  const auto path = directory.path() + "/store";
  std::vector<std::string> written;
  for (int round = 0; round < 8; ++round) {
    auto store = open_directory(path, small());
    ASSERT_TRUE(store) << store.error().message;
    std::size_t at = 0;
    auto batch = (*store)->for_each(everything(), {}, [&](RecordedEvent event) {
      ASSERT_LT(at, written.size());
      EXPECT_EQ(event.type(), written[at++]);
    });
    ASSERT_TRUE(batch) << batch.error().message;
    ASSERT_EQ(at, written.size());
    for (auto appends = 1 + random() % 40; appends > 0; --appends) {
      AppendRequest append;
      for (auto events = 1 + random() % 5; events > 0; --events) {
        written.push_back("T" + std::to_string(random() % 1'000));
        append.events.push_back({.stream = "s" + std::to_string(random() % 9),
                                 .type = written.back(),
                                 .data = std::string(random() % 20'000, 'x')});
      }
      const auto answer = (*store)->append(append);
      ASSERT_TRUE(answer) << answer.error().message;
      ASSERT_EQ(answer->last, Position{written.size()});
    }
  }
}

// More terms than the tail index may hold at once: appends wait for the index, and go on.
TEST(Engine, AppendsThatWaitForTheIndexGoOnWhenItHasComeFurther) {
  const fixtures::ScratchDirectory directory;
  auto store = open_directory(directory.path() + "/store", small()).value();
  constexpr int kAppends = 400;
  std::atomic<int> answered{0}, failed{0};
  std::promise<void> all;
  for (int i = 0; i < kAppends; ++i) {
    AppendRequest append;
    for (int e = 0; e < 20; ++e) {
      NewEvent event{.stream = "stream-" + std::to_string(i) + "-" + std::to_string(e),
                     .type = "T"};
      for (int t = 0; t < 8; ++t)
        event.tags.emplace_back("a-rather-long-key", std::to_string(i * 1'000 + e * 10 + t));
      append.events.push_back(std::move(event));
    }
    store->append(EncodedAppend::encode(append).value(), {}, [&](Result<Appended> answer) {
      failed += answer ? 0 : 1;
      if (++answered == kAppends) all.set_value();
    });
    while (i - answered > 100) std::this_thread::sleep_for(1ms);
  }
  ASSERT_EQ(all.get_future().wait_for(kLong), std::future_status::ready) << answered;
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(store->count(everything()).value(), kAppends * 20U);
  EXPECT_EQ(store->count(tagged({{"a-rather-long-key", "5003"}})).value(), 1U);
}

TEST(Engine, AppendsOfASessionAreTakenUpInTheOrderTheyWereMade) {
  const fixtures::ScratchDirectory directory;
  for (const bool in_memory : {true, false}) {
    auto store = in_memory ? open_memory({.timeout = kLong}).value()
                           : open_directory(directory.path() + "/store", small()).value();
    constexpr int kAppends = 2'000;
    std::atomic<int> answered{0};
    std::promise<void> all;
    for (int i = 0; i < kAppends; ++i) {
      const auto stream = "s" + std::to_string(i % 3);
      const auto version = static_cast<std::uint64_t>(i / 3);
      store->append(
          EncodedAppend::encode({.events = {{.stream = stream, .type = "T"}},
                                 .checks = {Check::stream(stream, Expect::exactly(version))}})
              .value(),
          {.session = 1 + static_cast<std::uint64_t>(i % 3)},
          [&, version](Result<Appended> answer) {
            EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
            EXPECT_TRUE(!answer || answer->version() == Version{version + 1});
            if (++answered == kAppends) all.set_value();
          });
    }
    ASSERT_EQ(all.get_future().wait_for(kLong), std::future_status::ready) << answered;
  }
}

}  // namespace
}  // namespace esdb::storage
