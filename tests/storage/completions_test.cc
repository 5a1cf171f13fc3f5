#include "storage/completions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace esdb::storage {
namespace {

TEST(Completions, RunInOrderOnAThreadOfTheirOwn) {
  std::vector<int> order;
  std::thread::id ran_on{};
  {
    Completions completions(Drive::kOwnThread, [] { ADD_FAILURE() << "nobody is to be woken"; });
    for (int i = 0; i < 1'000; ++i)
      completions.put([&order, &ran_on, i] {
        order.push_back(i);
        ran_on = std::this_thread::get_id();
      });
    completions.close();
  }
  ASSERT_EQ(order.size(), 1'000U);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(Completions, NeverRunInsideThePut) {
  Completions completions(Drive::kCaller, [] {});
  bool ran = false;
  completions.put([&] { ran = true; });
  EXPECT_FALSE(ran);
  completions.run_all();
  EXPECT_TRUE(ran);
}

TEST(Completions, WakeTheProgramsLoopOnceForAllThatWait) {
  int wakes = 0, ran = 0;
  Completions completions(Drive::kCaller, [&] { ++wakes; });
  for (int i = 0; i < 3; ++i) completions.put([&] { ++ran; });
  EXPECT_EQ(wakes, 1);
  completions.run_all();
  EXPECT_EQ(ran, 3);
  completions.put([&] { ++ran; });
  EXPECT_EQ(wakes, 2);
}

TEST(Completions, AllOfATurnGoInOrderBehindWhatWaitsAndWakeOnce) {
  int wakes = 0;
  std::vector<int> order;
  Completions completions(Drive::kCaller, [&] { ++wakes; });
  std::vector<Completions::Run> runs;
  const auto turn = [&](int from) {
    for (int i = from; i < from + 3; ++i) runs.push_back([&order, i] { order.push_back(i); });
    completions.put_all(runs);
    EXPECT_TRUE(runs.empty());
  };
  turn(0);
  turn(3);
  completions.put_all(runs);
  EXPECT_EQ(wakes, 1);
  completions.run_all();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5}));
}

TEST(Completions, OneThatPutsAnotherIsFollowedByIt) {
  std::vector<int> order;
  Completions completions(Drive::kCaller, [] {});
  completions.put([&] {
    order.push_back(1);
    completions.put([&] { order.push_back(3); });
  });
  completions.put([&] { order.push_back(2); });
  completions.run_all();
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(Completions, KnowTheThreadTheyRunOn) {
  Completions completions(Drive::kCaller, [] {});
  EXPECT_FALSE(completions.is_running_here());
  bool inside = false, elsewhere = true, after_nested = false;
  completions.put([&] {
    inside = completions.is_running_here();
    std::jthread([&] { elsewhere = completions.is_running_here(); }).join();
    completions.run_all();
    after_nested = completions.is_running_here();
  });
  completions.run_all();
  EXPECT_TRUE(inside);
  EXPECT_FALSE(elsewhere);
  EXPECT_TRUE(after_nested);
  EXPECT_FALSE(completions.is_running_here());
}

TEST(Completions, ClosingRunsWhatIsLeft) {
  for (const auto drive : {Drive::kOwnThread, Drive::kCaller}) {
    std::atomic<int> ran{0};
    Completions completions(drive, [] {});
    for (int i = 0; i < 100; ++i)
      completions.put([&] {
        ++ran;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      });
    completions.close();
    EXPECT_EQ(ran, 100);
    completions.close();
  }
}

TEST(Completions, FromManyThreadsNoneIsLostAndEachThreadsKeepTheirOrder) {
  std::vector<std::pair<int, int>> order;
  {
    Completions completions(Drive::kOwnThread, [] {});
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 500; ++i) completions.put([&order, t, i] { order.emplace_back(t, i); });
      });
    threads.clear();
    completions.close();
  }
  ASSERT_EQ(order.size(), 2'000U);
  std::vector<int> next(4, 0);
  for (const auto& [thread, number] : order)
    EXPECT_EQ(number, next[static_cast<std::size_t>(thread)]++);
}

}  // namespace
}  // namespace esdb::storage
