#include "tools/values.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

namespace esdb::tools {
namespace {

TEST(Values, ANumberIsDecimalDigitsAndNothingElse) {
  EXPECT_EQ(to_number("0"), 0u);
  EXPECT_EQ(to_number("010"), 10u);
  EXPECT_EQ(to_number("18446744073709551615"), ~std::uint64_t{0});
  for (const std::string text :
       {"", "-1", "+1", " 1", "1 ", "1x", "0x1", "1e3", "1.0", "18446744073709551616"})
    EXPECT_EQ(to_number(text), std::nullopt) << text;
}

}  // namespace
}  // namespace esdb::tools
