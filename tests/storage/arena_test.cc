#include "storage/arena.h"

#include <gtest/gtest.h>

#include "storage/frame_check.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kBytes = 1 << 20;

TEST(Arena, IsZeroAndHasRoomForWhatASegmentCanHold) {
  const auto arena = Arena::make(kBytes);
  EXPECT_TRUE(all_zero(arena->image()));
  EXPECT_EQ(arena->image().size(), kBytes);
  EXPECT_GE(arena->offsets().size(), kBytes / 40);
  EXPECT_EQ(arena->offsets().size(), arena->ids().size());
  EXPECT_GE(arena->frames().size(), kBytes / 128);
}

TEST(Arena, TouchingLeavesWhatIsThere) {
  const auto arena = Arena::make(kBytes);
  arena->image()[5000] = std::byte{7};
  arena->touch(0, kBytes);
  EXPECT_EQ(arena->image()[5000], std::byte{7});
  EXPECT_TRUE(all_zero(arena->image().subspan(5001)));
}

TEST(ArenaPool, LendsSoManyAtOnce) {
  const auto pool = std::make_shared<ArenaPool>(2);
  auto first = ArenaPool::take(pool, kBytes);
  auto second = ArenaPool::take(pool, kBytes);
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(ArenaPool::take(pool, kBytes));
  EXPECT_TRUE(ArenaPool::take_beyond(pool, kBytes));
  first.reset();
  EXPECT_TRUE(ArenaPool::take(pool, kBytes));
}

TEST(ArenaPool, WhatComesBackIsZeroWhenItIsTakenAgain) {
  const auto pool = std::make_shared<ArenaPool>(1);
  auto arena = ArenaPool::take(pool, kBytes);
  const auto* memory = arena->image().data();
  arena->image()[100] = std::byte{1};
  arena->image()[kBytes - 1] = std::byte{1};
  arena->mark_used(4096, kBytes - 4096);
  arena.reset();
  arena = ArenaPool::take(pool, kBytes);
  EXPECT_EQ(arena->image().data(), memory);
  EXPECT_TRUE(all_zero(arena->image()));
}

TEST(ArenaPool, AnotherSizeReplacesWhatIsKept) {
  const auto pool = std::make_shared<ArenaPool>(1);
  ArenaPool::take(pool, kBytes).reset();
  const auto larger = ArenaPool::take(pool, 2 * kBytes);
  EXPECT_EQ(larger->segment_bytes(), 2 * kBytes);
}

}  // namespace
}  // namespace esdb::storage
