#include "storage/recently_used.h"

#include <gtest/gtest.h>

#include <string>

namespace esdb::storage {
namespace {

using Words = RecentlyUsed<std::string>;

std::string word_at(Words& words, std::uint64_t number) {
  const auto* word = words.find(number);
  return word != nullptr ? *word : "";
}

TEST(RecentlyUsed, TheOneNotUsedForLongestLeavesForANewOne) {
  Words words(2);
  EXPECT_EQ(words.add(1, "one"), "");
  EXPECT_EQ(words.add(2, "two"), "");
  EXPECT_EQ(word_at(words, 1), "one");
  EXPECT_EQ(words.add(3, "three"), "two");
  EXPECT_EQ(words.add(4, "four"), "one");
  EXPECT_EQ(word_at(words, 1), "");
  EXPECT_EQ(word_at(words, 2), "");
  EXPECT_EQ(word_at(words, 3), "three");
  EXPECT_EQ(word_at(words, 4), "four");
}

TEST(RecentlyUsed, TheFirstOfANumberStays) {
  Words words(2);
  words.add(1, "one");
  EXPECT_EQ(words.add(1, "another"), "another");
  EXPECT_EQ(word_at(words, 1), "one");
}

TEST(RecentlyUsed, WithoutRoomNothingIsKept) {
  Words words(0);
  EXPECT_EQ(words.add(1, "one"), "one");
  EXPECT_EQ(word_at(words, 1), "");
}

TEST(RecentlyUsed, TakenAwayAllAreFoundWhereTheyWentAndTheRoomIsFree) {
  Words words(2);
  words.add(1, "one");
  words.add(2, "two");
  auto taken = words.take_all();
  EXPECT_EQ(word_at(words, 1), "");
  EXPECT_EQ(taken.add(3, "three"), "one");
  EXPECT_EQ(words.add(4, "four"), "");
  EXPECT_EQ(words.add(5, "five"), "");
  EXPECT_EQ(word_at(words, 4), "four");
}

}  // namespace
}  // namespace esdb::storage
