#include "protocol/loop_queue.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace esdb::protocol {
namespace {

bool is_readable(int fd, int milliseconds) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, milliseconds) == 1;
}

TEST(LoopQueue, RunsWhatWasPushedInOrder) {
  LoopQueue queue;
  std::vector<int> ran;
  EXPECT_FALSE(is_readable(queue.wake_fd(), 0));
  queue.push([&]() { ran.push_back(1); });
  queue.push([&]() {
    ran.push_back(2);
    queue.push([&]() { ran.push_back(3); });
  });
  EXPECT_TRUE(is_readable(queue.wake_fd(), 0));
  EXPECT_EQ(queue.drain(), 3u);
  EXPECT_EQ(ran, (std::vector{1, 2, 3}));
}

TEST(LoopQueue, TakesNothingOnceItIsClosedAndKeepsWhatItTook) {
  LoopQueue queue;
  bool ran = false;
  EXPECT_TRUE(queue.push([&]() { ran = true; }));
  queue.close();
  EXPECT_FALSE(queue.push([]() { FAIL(); }));
  EXPECT_EQ(queue.drain(), 1u);
  EXPECT_TRUE(ran);
}

TEST(LoopQueue, ManyThreadsLoseNothing) {
  LoopQueue queue;
  constexpr int kThreads = 4, kEach = 5000;
  std::vector<std::vector<int>> ran(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t]() {
      for (int i = 0; i < kEach; ++i) queue.push([&ran, t, i]() { ran[t].push_back(i); });
    });
  for (std::size_t done = 0; done < std::size_t{kThreads} * kEach;) {
    ASSERT_TRUE(is_readable(queue.wake_fd(), 60'000));
    done += queue.drain();
  }
  for (auto& thread : threads) thread.join();
  for (const auto& one : ran) EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
}

}  // namespace
}  // namespace esdb::protocol
