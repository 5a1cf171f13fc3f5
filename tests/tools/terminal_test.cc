#include "tools/terminal.h"

#include <gtest/gtest.h>

namespace esdb::tools {
namespace {

TEST(Terminal, NothingInAnEventCommandsIt) {
  EXPECT_EQ(printable("plain é 😀"), "plain é 😀");
  EXPECT_EQ(printable("\x1b[2J\r\n\x7f"), "\\x1b[2J\\x0d\\x0a\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "\\xc2\\x9b2J");
  EXPECT_EQ(printable("\xff\xc3(\xe2\x82"), "\\xff\\xc3(\\xe2\\x82");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(printable(std::string_view("\0a", 2)), "\\x00a");
}

TEST(Terminal, TextIsCutBetweenCodePoints) {
  EXPECT_EQ(columns_of("aé😀"), 3u);
  EXPECT_EQ(cut_to("aé😀", 3), "aé😀");
  EXPECT_EQ(cut_to("aé😀b", 3), "aé…");
}

TEST(Terminal, OnlyATerminalIsColoured) {
  EXPECT_EQ(inked(Ink::kRed, "x", {}), "x");
  EXPECT_EQ(inked(Ink::kRed, "x", {.color = true}), "\x1b[31mx\x1b[0m");
}

}  // namespace
}  // namespace esdb::tools
