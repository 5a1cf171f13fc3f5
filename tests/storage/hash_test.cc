#include "storage/hash.h"

#include <gtest/gtest.h>

namespace esdb::storage {
namespace {

// XXH3's published values: the index on disk depends on them.
TEST(Hash, IsXxh3) {
  EXPECT_EQ(hash64(std::string_view{}, 0), 0x2d06800538d394c2U);
  const auto wide = hash128({}, 0);
  EXPECT_EQ(wide[0], std::byte{0x99});
  EXPECT_EQ(wide[15], std::byte{0x7f});
}

TEST(Hash, DependsOnTheSeed) {
  EXPECT_NE(hash64("a", 0), hash64("a", 1));
  EXPECT_NE(hash128("a", 0), hash128("a", 1));
  const std::byte bytes[] = {std::byte{'a'}};
  EXPECT_EQ(hash64(bytes, 7), hash64("a", 7));
}

}  // namespace
}  // namespace esdb::storage
