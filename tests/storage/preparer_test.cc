#include "storage/preparer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Clock = std::chrono::steady_clock;
using ::testing::ElementsAre;

constexpr auto kLong = 20s;

// A preparer whose outcomes are kept by name.
struct Prepares {
  Prepares()
      : preparer(
            setup.sources(),
            {.prepared = [this](RequestPtr r) { keep("prepared", r); },
             .prepared_again = [this](RequestPtr r) { keep(r->failed ? "failed" : "again", r); },
             .answer =
                 [this](RequestPtr r, Result<Appended> result) {
                   keep(result ? "answered" : "refused", r);
                   if (result) last = *result;
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

  WriterSetup setup{};
  std::mutex mutex{};
  std::vector<std::string> outcomes{};
  Appended last{};
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
  auto beyond = one("a");
  auto request = prepares.request(beyond);
  beyond.checks.push_back(Check::unchanged(everything(), 1'000));
  request->parts = encoded(beyond).parts;
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

}  // namespace
}  // namespace esdb::storage
