#include "protocol/text.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <random>

#include "tests/fixtures/test_run.h"

namespace esdb::protocol {
namespace {

TEST(Text, Utf8IsWhatALibraryForItSays) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  // Bytes near the borders of the definition, so that most strings are nearly right.
  constexpr unsigned char kBytes[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                      0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed,
                                      0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
  int valid = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    for (auto n = random() % 6; n != 0; --n)
      text += static_cast<char>(kBytes[random() % std::size(kBytes)]);
    if (random() % 4 == 0) text.insert(0, std::string(random() % 20, 'x'));
    const bool expected = simdjson::validate_utf8(text.data(), text.size());
    ASSERT_EQ(is_utf8(text), expected) << shown(text);
    valid += expected;
  }
  EXPECT_GT(valid, 1000);
}

TEST(Text, EveryCharacterOfTwoThreeAndFourBytesIsJudgedRight) {
  EXPECT_TRUE(is_utf8("\xc2\x80"));
  EXPECT_FALSE(is_utf8("\xc1\xbf")) << "overlong";
  EXPECT_TRUE(is_utf8("\xe0\xa0\x80"));
  EXPECT_FALSE(is_utf8("\xe0\x9f\xbf")) << "overlong";
  EXPECT_FALSE(is_utf8("\xed\xa0\x80")) << "a surrogate";
  EXPECT_TRUE(is_utf8("\xf4\x8f\xbf\xbf"));
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80")) << "above U+10FFFF";
  EXPECT_FALSE(is_utf8("12345678\xc3")) << "cut short behind a run of eight";
}

TEST(Text, IsShownOnOneLineAndCutAtACharacter) {
  EXPECT_EQ(shown("a\nb\xff\x7f"), "a\\x0ab\\xff\\x7f");
  EXPECT_EQ(shown("\xc3\xa4\xc3\xa4\xc3\xa4", 3), "\xc3\xa4\xc3\xa4...");
  EXPECT_EQ(shown(std::string(60, 'x')), std::string(60, 'x'));
  EXPECT_EQ(shown(std::string(61, 'x')), std::string(60, 'x') + "...");
}

TEST(Text, ARuleHoldsOnBothSidesOfItsLimit) {
  const TextRule rule{.field = "f", .bytes_max = 3};
  EXPECT_TRUE(check_text("abc", rule));
  EXPECT_EQ(check_text("abcd", rule).error().message, "f: 4 bytes, and at most 3 are accepted");
  EXPECT_EQ(check_text("", rule).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(check_text("\t", rule));
  EXPECT_TRUE(check_text("\t", {.field = "f", .bytes_max = 3, .control_allowed = true}));
  EXPECT_TRUE(check_text("$a", rule));
  EXPECT_FALSE(check_text("$a", {.field = "f", .bytes_max = 3, .system_allowed = false}));
}

}  // namespace
}  // namespace esdb::protocol
