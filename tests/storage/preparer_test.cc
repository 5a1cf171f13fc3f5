#include "storage/preparer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/storage/index_store.h"
#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Clock = std::chrono::steady_clock;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr auto kLong = 20s;

// A preparer whose outcomes are kept by name.
struct Prepares {
  Prepares() : Prepares(nullptr) {}
  explicit Prepares(IndexStore& store)
      : Prepares(std::make_unique<Sources>(*store.log, *store.tail, store.index.get())) {}
  explicit Prepares(std::unique_ptr<Sources> other)
      : preparer(
            other ? *other : setup.sources(),
            {.prepared = [this](RequestPtr r) { keep("prepared", r); },
             .prepared_again = [this](RequestPtr r) { keep(r->failed ? "failed" : "again", r); },
             .answer =
                 [this](RequestPtr r, Result<Appended> result) {
                   if (result) last = *result;
                   if (!result) codes.push_back(result.error().code);
                   keep(result ? "answered" : "refused", r);  // whoever waits for it reads them
                 }}) {}
  ~Prepares() { preparer.close(); }

  RequestPtr request(const AppendRequest& append, std::uint64_t session = 0) {
    return setup.request("", encoded(append), session);
  }
  void keep(const std::string& what, const RequestPtr& request) {
    const std::lock_guard lock(mutex);
    outcomes.push_back(
        what + " " +
        std::string(request->parts->events.empty() ? "" : request->parts->events.front().stream));
  }
  std::vector<std::string> wait_for(std::size_t count) {
    const auto until = Clock::now() + kLong;
    for (;;) {
      {
        const std::lock_guard lock(mutex);
        if (outcomes.size() >= count || Clock::now() >= until) return outcomes;
      }
      std::this_thread::sleep_for(1ms);
    }
  }

  WriterSetup setup{{.segment_bytes = 1 << 20, .background_inline = true}};
  std::mutex mutex{};
  std::vector<std::string> outcomes{};
  Appended last{};
  std::vector<ErrorCode> codes{};  // of those refused
  Preparer preparer;
};

TEST(Preparer, PreparesInOrderAndSendsEachWhereItCameFrom) {
  Prepares prepares;
  auto again = prepares.request(one("b"));
  again->prepared_again = true;
  prepares.preparer.put(prepares.request(one("a")));
  prepares.preparer.put(std::move(again));
  prepares.preparer.put(prepares.request(one("c")));
  EXPECT_THAT(prepares.wait_for(3), ElementsAre("prepared a", "again b", "prepared c"));
}

TEST(Preparer, WhatCannotBePreparedIsRefusedOrGoesBackToItsPlaceInTheQueue) {
  Prepares prepares;
  prepares.setup.append("", large("s", 100 * kKiB));
  for (int i = 0; i < 30; ++i) prepares.setup.append("", large("t", 100 * kKiB));
  for (const auto operation : {Operation::kRead, Operation::kRingRead})
    prepares.setup.io.add({.operation = operation, .times = 1'000, .path = "00000001.seg"});
  auto request = prepares.request(one("a"));
  request->parts = encoded(expecting(one("a"), "s", Expect::none())).parts;  // compares the first
  auto again = prepares.request(one("b"));
  again->parts = request->parts;
  again->prepared_again = true;
  prepares.preparer.put(std::move(request));
  prepares.preparer.put(std::move(again));
  EXPECT_THAT(prepares.wait_for(2), ElementsAre("refused a", "failed a"));
}

TEST(Preparer, ReadsTheAnswerOfARetryFromTheLog) {
  Prepares prepares;
  prepares.setup.append("first", {.events = {event_of("s"), event_of("t"), event_of("s")}});
  const auto& first = *prepares.setup.find("first")->result;
  prepares.preparer.put_repeated(prepares.request(one("s")), {first.first, first.last});
  EXPECT_THAT(prepares.wait_for(1), ElementsAre("answered s"));
  prepares.preparer.close();
  EXPECT_TRUE(prepares.last.repeated);
  EXPECT_EQ(prepares.last.committed, first.committed);
  ASSERT_EQ(prepares.last.streams.size(), 2U);
  EXPECT_EQ(prepares.last.streams[0].version, Version{2});
  EXPECT_EQ(prepares.last.streams[1].version, Version{1});
}

TEST(Preparer, KnowsTheSessionsItHoldsRequestsOf) {
  Prepares prepares;
  EXPECT_FALSE(prepares.preparer.holds_session(7));
  {
    const std::lock_guard lock(prepares.mutex);  // the first outcome waits for it
    prepares.preparer.put(prepares.request(one("a"), 7));
    prepares.preparer.put(prepares.request(one("b"), 7));
    EXPECT_TRUE(prepares.preparer.holds_session(7));
    EXPECT_FALSE(prepares.preparer.holds_session(8));
    EXPECT_FALSE(prepares.preparer.holds_session(0)) << "of none";
  }
  EXPECT_THAT(prepares.wait_for(2), ElementsAre("prepared a", "prepared b"));
  const auto until = Clock::now() + kLong;
  while (prepares.preparer.holds_session(7) && Clock::now() < until) std::this_thread::yield();
  EXPECT_FALSE(prepares.preparer.holds_session(7));
}

TEST(Preparer, ClosingDoesWhatIsLeftAndWhatComesLaterIsDoneAtOnce) {
  Prepares prepares;
  for (int i = 0; i < 50; ++i) prepares.preparer.put(prepares.request(one("a")));
  prepares.preparer.close();
  EXPECT_EQ(prepares.outcomes.size(), 50U);
  prepares.preparer.put(prepares.request(one("b"), 7));
  EXPECT_EQ(prepares.outcomes.size(), 51U);
  EXPECT_FALSE(prepares.preparer.holds_session(7));
}

// A log whose index has yet to be written.
struct Rebuilding : Prepares {
  explicit Rebuilding(IndexStore& store) : Prepares(begun(store)) {}
  static IndexStore& begun(IndexStore& store) {
    store.write(60);
    auto options = store.options();
    options.replay_events_max = 10;
    store.open(options);
    EXPECT_TRUE(store.index->needs_rebuild());
    return store;
  }
  RequestPtr request_until(const std::string& stream, Clock::time_point deadline,
                           std::uint64_t session = 0) {
    auto made = request(one(stream), session);
    made->deadline = deadline;
    return made;
  }
};

TEST(Preparer, WhatWaitsForTheIndexIsKeptNoLongerThanItWantsWhereverItStands) {
  IndexStore store(1);
  Rebuilding prepares(store);
  std::stop_source stop;
  auto& preparer = prepares.preparer;
  preparer.put(prepares.request_until("head", Clock::time_point::max()));
  preparer.put(prepares.request_until("late", Clock::now() + 5ms, 7));
  auto stopped = prepares.request_until("stopped", Clock::time_point::max(), 8);
  stopped->stop = stop.get_token();
  preparer.put(std::move(stopped));
  auto again = prepares.request_until("held", Clock::now() + 5ms);
  again->prepared_again = true;
  preparer.put(std::move(again));
  EXPECT_THAT(prepares.wait_for(2), UnorderedElementsAre("refused late", "failed held"));
  EXPECT_FALSE(preparer.holds_session(7));
  stop.request_stop();
  EXPECT_THAT(prepares.wait_for(3), Contains("refused stopped"));
  EXPECT_THAT(prepares.codes, ElementsAre(ErrorCode::kUnavailable, ErrorCode::kCancelled));
  while (!store.index->rebuild_step(*store.log).value()) {
  }
  EXPECT_THAT(prepares.wait_for(4), Contains("prepared head"));
}

TEST(Preparer, ARetryIsAnsweredFromTheLogWhileOthersWaitForTheIndex) {
  IndexStore store(1);
  Rebuilding prepares(store);
  prepares.preparer.put(prepares.request_until("head", Clock::time_point::max()));
  prepares.preparer.put_repeated(prepares.request(one("retry")), {1, 1});
  EXPECT_THAT(prepares.wait_for(1), ElementsAre("answered retry"));
}

}  // namespace
}  // namespace esdb::storage
