#include "storage/inbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Clock = std::chrono::steady_clock;

constexpr auto kLong = 20s;

RequestPtr request(std::size_t bytes, std::uint64_t session = 0) {
  auto made = std::make_unique<Request>();
  made->bytes = bytes;
  made->session = session;
  return made;
}

bool put(Inbox& inbox, std::size_t bytes) {
  auto made = request(bytes);
  return inbox.put(made);
}

struct Taken {
  explicit Taken(Inbox& inbox) { inbox.take(again, fresh); }
  std::vector<RequestPtr> again{}, fresh{};
};

TEST(Inbox, GivesInOrderWhatWasPutAndWhatWasPreparedAgainByItself) {
  Inbox inbox({.count = 10, .bytes = 1'000});
  EXPECT_TRUE(inbox.empty());
  for (std::size_t bytes = 1; bytes <= 3; ++bytes) EXPECT_TRUE(put(inbox, bytes));
  inbox.put_again(request(50));
  EXPECT_FALSE(inbox.empty());
  EXPECT_EQ(inbox.waiting_bytes(), 56U);
  const Taken taken(inbox);
  ASSERT_EQ(taken.fresh.size(), 3U);
  EXPECT_EQ(taken.fresh[2]->bytes, 3U);
  ASSERT_EQ(taken.again.size(), 1U);
  EXPECT_EQ(inbox.waiting_bytes(), 0U);
  EXPECT_TRUE(inbox.empty());
}

TEST(Inbox, IsFullInCountUntilWhatWasTakenIsSettled) {
  Inbox inbox({.count = 2, .bytes = 1'000});
  EXPECT_TRUE(put(inbox, 1));
  EXPECT_TRUE(put(inbox, 1));
  auto third = request(1);
  EXPECT_FALSE(inbox.put(third));
  EXPECT_NE(third, nullptr) << "the request stays with its caller";
  const Taken taken(inbox);
  EXPECT_FALSE(inbox.put(third)) << "taken is not yet answered";
  inbox.settled(1);
  EXPECT_TRUE(inbox.put(third));
}

TEST(Inbox, IsFullInBytesButNeverForASingleRequest) {
  Inbox inbox({.count = 100, .bytes = 100});
  EXPECT_TRUE(put(inbox, 500)) << "one larger than the bound goes through alone";
  EXPECT_FALSE(put(inbox, 1));
  inbox.settled(500);
  EXPECT_TRUE(put(inbox, 60));
  EXPECT_FALSE(put(inbox, 41));
  EXPECT_TRUE(put(inbox, 40));
}

TEST(Inbox, WhatIsPreparedAgainKeepsItsPlaceInTheBounds) {
  Inbox inbox({.count = 1, .bytes = 100});
  EXPECT_TRUE(put(inbox, 10));
  Taken taken(inbox);
  inbox.put_again(std::move(taken.fresh.front()));
  EXPECT_FALSE(put(inbox, 1));
  inbox.settled(10);
  EXPECT_TRUE(put(inbox, 1));
}

TEST(Inbox, APlaceIsTakenBeforeItsRequestIsPrepared) {
  Inbox inbox({.count = 2, .bytes = 100});
  auto first = request(60);
  auto second = request(30);
  EXPECT_TRUE(inbox.admit(*first));
  EXPECT_TRUE(inbox.empty()) << "there is nothing to take yet";
  EXPECT_FALSE(put(inbox, 50));
  EXPECT_TRUE(inbox.admit(*second));
  EXPECT_TRUE(inbox.put_admitted(first));
  EXPECT_EQ(inbox.waiting_bytes(), 60U);
  EXPECT_FALSE(put(inbox, 1));
  inbox.settled(30);  // it could not be prepared
  EXPECT_TRUE(put(inbox, 40));
  auto third = request(1);
  inbox.settled(60);
  EXPECT_TRUE(inbox.admit(*third));
  inbox.close();
  EXPECT_FALSE(inbox.put_admitted(third));
  EXPECT_NE(third, nullptr);
}

TEST(Inbox, ABlockedCallerGoesInWhenThereIsRoom) {
  Inbox inbox({.count = 1, .bytes = 100});
  EXPECT_TRUE(put(inbox, 1));
  auto waits = std::async(std::launch::async, [&] {
    auto second = request(2);
    return inbox.put_until(second, Clock::now() + kLong);
  });
  EXPECT_EQ(waits.wait_for(20ms), std::future_status::timeout);
  inbox.settled(1);
  EXPECT_TRUE(waits.get());
}

TEST(Inbox, ABlockedCallerLeavesAtItsDeadlineAndKeepsItsRequest) {
  Inbox inbox({.count = 1, .bytes = 100});
  EXPECT_TRUE(put(inbox, 1));
  auto second = request(2);
  EXPECT_FALSE(inbox.put_until(second, Clock::now() + 5ms));
  EXPECT_NE(second, nullptr);
}

TEST(Inbox, ABlockedCallerLeavesWhenItsTokenSaysSo) {
  Inbox inbox({.count = 1, .bytes = 100});
  EXPECT_TRUE(put(inbox, 1));
  std::stop_source stop;
  auto waits = std::async(std::launch::async, [&] {
    auto second = request(2);
    second->stop = stop.get_token();
    const bool went = inbox.put_until(second, Clock::time_point::max());
    return !went && second != nullptr;
  });
  EXPECT_EQ(waits.wait_for(20ms), std::future_status::timeout);
  stop.request_stop();
  ASSERT_EQ(waits.wait_for(kLong), std::future_status::ready);
  EXPECT_TRUE(waits.get());
}

TEST(Inbox, ClosedItTakesNothingAndWakesWhoWaits) {
  Inbox inbox({.count = 1, .bytes = 100});
  EXPECT_TRUE(put(inbox, 1));
  auto waits = std::async(std::launch::async, [&] {
    auto second = request(2);
    return inbox.put_until(second, Clock::time_point::max());
  });
  EXPECT_EQ(waits.wait_for(20ms), std::future_status::timeout);
  inbox.close();
  EXPECT_FALSE(waits.get());
  inbox.settled(1);
  EXPECT_FALSE(put(inbox, 1));
}

TEST(Inbox, ManyCallersThroughANarrowDoorAllGetIn) {
  Inbox inbox({.count = 2, .bytes = 50});
  std::atomic<int> in{0};
  std::vector<std::jthread> callers;
  for (int t = 0; t < 6; ++t)
    callers.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        auto one = request(static_cast<std::size_t>(1 + t * 9));
        if (inbox.put_until(one, Clock::now() + kLong)) ++in;
      }
    });
  for (int settled = 0; settled < 1'200;) {
    const Taken taken(inbox);
    for (const auto& one : taken.fresh) inbox.settled(one->bytes);
    settled += static_cast<int>(taken.fresh.size());
    if (taken.fresh.empty()) std::this_thread::yield();
  }
  callers.clear();
  EXPECT_EQ(in, 1'200);
}

}  // namespace
}  // namespace esdb::storage
