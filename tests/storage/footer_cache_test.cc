#include "storage/footer_cache.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/fixtures/test_run.h"

namespace esdb::storage {
namespace {

std::shared_ptr<const FooterBlock> block_of(unsigned number) {
  auto block = std::make_shared<FooterBlock>();
  (*block)[0] = static_cast<std::byte>(number);
  (*block)[1] = static_cast<std::byte>(number >> 8);
  return block;
}

FooterBlockPlace place_of(unsigned number) {
  return {.segment = number / 10, .offset = number % 10 * std::uint64_t{kFooterBlockBytes}};
}

bool holds(FooterCache& cache, unsigned number) {
  const auto found = cache.find(place_of(number));
  return found != nullptr && *found == *block_of(number);
}

TEST(FooterCache, KeepsThoseUsedLast) {
  FooterCache cache(3);
  for (unsigned i = 0; i < 3; ++i) cache.add(place_of(i), block_of(i));
  EXPECT_TRUE(holds(cache, 0));
  cache.add(place_of(3), block_of(3));
  EXPECT_TRUE(holds(cache, 0)) << "it was used after 1 and 2";
  EXPECT_FALSE(holds(cache, 1));
  EXPECT_TRUE(holds(cache, 2));
  EXPECT_TRUE(holds(cache, 3));
}

TEST(FooterCache, TheSameOffsetOfAnotherSegmentIsAnotherBlock) {
  FooterCache cache(8);
  cache.add({.segment = 1, .offset = 4096}, block_of(1));
  EXPECT_EQ(cache.find({.segment = 2, .offset = 4096}), nullptr);
  EXPECT_EQ(cache.find({.segment = 1, .offset = 8192}), nullptr);
}

TEST(FooterCache, GivesTheBlockOfItsPlaceWhateverWasAdded) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  FooterCache cache(50);
  for (int i = 0; i < 20'000; ++i) {
    const auto number = static_cast<unsigned>(random() % 200);
    const auto found = cache.find(place_of(number));
    if (found != nullptr) {
      ASSERT_EQ(*found, *block_of(number));
    } else {
      cache.add(place_of(number), block_of(number));
    }
  }
}

TEST(FooterCache, ForgetsAllAndOneWithoutRoomKeepsNothing) {
  FooterCache cache(5);
  cache.add(place_of(1), block_of(1));
  cache.forget();
  EXPECT_FALSE(holds(cache, 1));
  FooterCache none(0);
  none.add(place_of(1), block_of(1));
  EXPECT_FALSE(holds(none, 1));
}

}  // namespace
}  // namespace esdb::storage
