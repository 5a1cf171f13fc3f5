#include "storage/packed_positions.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "tests/fixtures/test_run.h"

namespace esdb::storage {
namespace {

std::vector<std::byte> packed(std::uint64_t number) {
  std::vector<std::byte> bytes;
  append_varint(number, bytes);
  return bytes;
}

TEST(PackedPositions, TakeSevenBitsToAByte) {
  EXPECT_EQ(packed(0), (std::vector{std::byte{0}}));
  EXPECT_EQ(packed(127), (std::vector{std::byte{0x7f}}));
  EXPECT_EQ(packed(128), (std::vector{std::byte{0x80}, std::byte{1}}));
  EXPECT_EQ(packed(~std::uint64_t{0}).size(), 10U);
  for (const std::uint64_t number :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{127}, std::uint64_t{128},
        std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
    const auto bytes = packed(number);
    std::span<const std::byte> rest = bytes;
    std::uint64_t read = 1;
    ASSERT_TRUE(take_varint(rest, read));
    EXPECT_EQ(read, number);
    EXPECT_TRUE(rest.empty());
  }
}

TEST(PackedPositions, RefuseWhatIsCutOrLongerThanItMustBe) {
  std::uint64_t read = 0;
  const auto takes = [&](std::vector<std::byte> bytes) {
    std::span<const std::byte> rest = bytes;
    return take_varint(rest, read);
  };
  EXPECT_FALSE(takes({}));
  EXPECT_FALSE(takes({std::byte{0x80}}));
  EXPECT_FALSE(takes({std::byte{0x80}, std::byte{0}}));
  std::vector<std::byte> beyond(9, std::byte{0xff});
  beyond.push_back(std::byte{2});
  EXPECT_FALSE(takes(beyond)) << "more than 64 bits";
}

TEST(PackedPositions, GiveBackWhatWasPacked) {
  const std::uint64_t seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const std::size_t count : {1, 2, 127, 128, 129}) {
    std::vector<std::uint64_t> positions{random() % 1000};
    while (positions.size() < count)
      positions.push_back(positions.back() + 1 + (random() >> (random() % 40 + 20)));
    std::vector<std::byte> bytes;
    append_differences(positions, bytes);
    std::vector<std::uint64_t> read(count);
    read[0] = positions[0];
    ASSERT_TRUE(read_differences(bytes, read));
    EXPECT_EQ(read, positions);
    bytes.push_back(std::byte{1});
    EXPECT_FALSE(read_differences(bytes, read)) << "one too many";
    bytes.resize(bytes.size() - 1);
    if (count == 1) continue;
    bytes.pop_back();
    EXPECT_FALSE(read_differences(bytes, read)) << "one too few";
  }
}

TEST(PackedPositions, RefuseListsThatDoNotAscend) {
  std::array<std::uint64_t, 2> read{5, 0};
  EXPECT_FALSE(read_differences(packed(0), read));
  EXPECT_FALSE(read_differences(packed(~std::uint64_t{0}), read)) << "beyond 64 bits";
  EXPECT_TRUE(read_differences(packed(~std::uint64_t{0} - 5), read));
}

}  // namespace
}  // namespace esdb::storage
