#include "tools/base64.h"

#include <gtest/gtest.h>

#include <string>

namespace esdb::tools {
namespace {

std::string encoded(std::string_view bytes) {
  std::string text;
  append_base64(bytes, text);
  return text;
}

TEST(Base64, WritesTheVectorsOfTheStandard) {
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
}

TEST(Base64, ReadsBackEveryByteAtEveryLength) {
  std::string bytes;
  for (int i = 0; i < 600; ++i) {
    EXPECT_EQ(decode_base64(encoded(bytes)), bytes) << i;
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
  for (const auto* text :
       {"Zg", "Zg=", "Zg=a", "Z===", "====", "Zm9v\n", "Zm 9", "Zh==", "Zm9=", "Zg==Zg==", "-_--"})
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
}

}  // namespace
}  // namespace esdb::tools
