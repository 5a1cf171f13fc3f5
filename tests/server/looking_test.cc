#include "server/looking.h"

#include <gtest/gtest.h>
#include <kj/async-io.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <vector>

namespace esdb::server {
namespace {

constexpr auto kShort = Looking::Length::kShort;
constexpr auto kLong = Looking::Length::kLong;

// Calls that wait until they are let go, and the order in which calls began.
class LookingCalls : public testing::Test {
 protected:
  ~LookingCalls() noexcept override { let_go(); }

  kj::Promise<Result<int>> held(std::uint64_t owner, Looking::Length length) {
    return looking_.run<int>({.owner = owner, .length = length}, [this, gate = gate_]() {
      begin(-1);
      gate.wait();
      return 0;
    });
  }
  kj::Promise<Result<int>> quick(std::uint64_t owner, int name, std::stop_token stop = {},
                                 Looking::Length length = kShort) {
    return looking_.run<int>({.owner = owner, .length = length, .stop = std::move(stop)},
                             [this, name]() {
                               begin(name);
                               return name;
                             });
  }
  int answer(kj::Promise<Result<int>> promise) {
    return promise
        .exclusiveJoin(loop_.provider->getTimer().afterDelay(20 * kj::SECONDS).then([]() {
          return Result<int>(-2);
        }))
        .wait(loop_.waitScope)
        .value_or(-3);
  }
  void let_go() {
    if (!std::exchange(gone_, true)) open_.set_value();
  }
  void begin(int name) {
    const std::lock_guard lock(mutex_);
    began_.push_back(name);
    changed_.notify_all();
  }
  // Whether as many have begun, in a while.
  bool have_begun(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&]() { return began_.size() >= count; });
  }
  // Where a call stands in the order.
  std::ptrdiff_t turn_of(int name) {
    const std::lock_guard lock(mutex_);
    return std::ranges::find(began_, name) - began_.begin();
  }

  std::promise<void> open_;
  std::shared_future<void> gate_ = open_.get_future().share();
  bool gone_ = false;
  std::mutex mutex_;  // protects began_
  std::condition_variable changed_;
  std::vector<int> began_;
  kj::AsyncIoContext loop_ = kj::setupAsyncIo();
  Looking looking_{loop_.unixEventPort};
};

TEST_F(LookingCalls, AreNotHeldUpByLongOnesOfAnybody) {
  std::vector<kj::Promise<Result<int>>> counts;
  for (std::uint64_t owner = 1; owner <= 3; ++owner)
    for (int i = 0; i < 5; ++i) counts.push_back(held(owner, kLong));
  EXPECT_EQ(answer(quick(1, 7)), 7) << "not even by one's own";
  EXPECT_EQ(answer(quick(9, 8)), 8);
  let_go();
  for (auto& count : counts) EXPECT_EQ(answer(kj::mv(count)), 0);
}

TEST_F(LookingCalls, LongOnesOfOneOwnerLeaveRoomForAnothers) {
  std::vector<kj::Promise<Result<int>>> counts;
  for (int i = 0; i < 5; ++i) counts.push_back(held(1, kLong));
  EXPECT_EQ(answer(quick(2, 7, {}, kLong)), 7);
  let_go();
  for (auto& count : counts) EXPECT_EQ(answer(kj::mv(count)), 0);
}

TEST_F(LookingCalls, ServeOwnersInTurn) {
  std::vector<kj::Promise<Result<int>>> all;
  for (std::size_t i = 0; i < Looking::kThreads; ++i) all.push_back(held(1, kShort));
  ASSERT_TRUE(have_begun(Looking::kThreads));
  for (int name = 0; name < 50; ++name) all.push_back(quick(1, name));
  all.push_back(quick(2, 100));
  let_go();
  for (auto& one : all) EXPECT_GE(answer(kj::mv(one)), 0);
  // Behind one of the busy owner, and what the other threads began meanwhile.
  EXPECT_LE(turn_of(100), static_cast<std::ptrdiff_t>(2 * Looking::kThreads));
}

TEST_F(LookingCalls, AreNotMadeWhereTheirOwnerHasGone) {
  std::vector<kj::Promise<Result<int>>> held_ones;
  for (std::size_t i = 0; i < Looking::kThreads; ++i) held_ones.push_back(held(1, kShort));
  ASSERT_TRUE(have_begun(Looking::kThreads));
  std::stop_source owner;
  auto waiting = quick(2, 5, owner.get_token());
  owner.request_stop();
  let_go();
  EXPECT_EQ(answer(kj::mv(waiting)), -3);
  for (auto& one : held_ones) EXPECT_EQ(answer(kj::mv(one)), 0);
  EXPECT_EQ(turn_of(5), static_cast<std::ptrdiff_t>(began_.size())) << "it was made";
}

}  // namespace
}  // namespace esdb::server
