#include "tools/json_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "tests/fixtures/test_run.h"

namespace esdb::tools {
namespace {

// Followed by what a line reader guarantees, and by something that a parser must not read.
std::string padded(std::string_view text) {
  return std::string(text) + "\n" + std::string(kJsonPadding, ',');
}

bool accepted(std::string_view text) { return JsonReader().check(text).has_value(); }

TEST(JsonText, GivesMembersAsTheyWereWritten) {
  JsonReader reader;
  const std::string text = R"({ "a" : {"n": 123456789012345678901234567890, "n":1e999} ,)"
                           R"("b":[1, 2 ] , "c" :-0.0E+5,"d":"x\"y" })";
  const auto members = reader.members(std::string_view(padded(text)).substr(0, text.size()));
  const auto buffer = padded(text);
  const auto again = reader.members(std::string_view(buffer).substr(0, text.size()));
  ASSERT_TRUE(members) << members.error().message;
  ASSERT_EQ(again->size(), 4u);
  EXPECT_EQ((*again)[0].key, "a");
  EXPECT_EQ((*again)[0].raw, R"({"n": 123456789012345678901234567890, "n":1e999})");
  EXPECT_EQ((*again)[1].raw, "[1, 2 ]");
  EXPECT_EQ((*again)[2].raw, "-0.0E+5");
  EXPECT_EQ((*again)[3].raw, R"("x\"y")");
}

TEST(JsonText, FindsAWatchedKeyOneLevelDown) {
  JsonReader reader;
  const auto buffer = padded(R"({"data":{"k":{"k":1}},"metadata":{"x":{"k":2},"k":"é"},"k":3})");
  ASSERT_TRUE(
      reader.members(std::string_view(buffer).substr(0, buffer.size() - kJsonPadding), "k"));
  EXPECT_EQ(reader.watched_in("data"), R"({"k":1})");
  EXPECT_EQ(reader.watched_in("metadata"), R"("é")");
  EXPECT_EQ(reader.watched_in("other"), "");
}

TEST(JsonText, AcceptsEveryJsonValue) {
  for (const auto* text :
       {"null", "true", "false", "0", "-1", "1.5e-7", "\"\"", R"("\u00e9\ud83d\ude00\n")", "[]",
        "{}", "[[[{}]]]", R"({"a":1,"a":2})", " [ 1 , 2 ] ", "123456789012345678901234567890",
        "-1e99999", R"({"":""})"})
    EXPECT_TRUE(accepted(text)) << text << ": " << JsonReader().check(text).error().message;
}

TEST(JsonText, WhatFollowsAnObjectIsSaidToFollowIt) {
  for (const auto* text : {R"({"a":1} x)", R"({"a":"}\""}{"b":2})", "{},", R"({"a":[1]}])"}) {
    const auto buffer = padded(text);
    const auto line = std::string_view(buffer).substr(0, std::string_view(text).size());
    EXPECT_EQ(JsonReader().members(line).error().message, "not JSON: something follows the object")
        << text;
    EXPECT_EQ(JsonReader().check(text).error().message, "not JSON: something follows the object")
        << text;
  }
  EXPECT_EQ(JsonReader().check("[1] 2").error().message, "not JSON: something follows the array");
  EXPECT_EQ(JsonReader().check("{\"a\":[1}").error().message.find("follows"), std::string::npos);
}

TEST(JsonText, RefusesWhatIsNoJson) {
  for (const auto* text : {"",          " ",        "nul",         "nulll",       "True",
                           "01",        "-",        "+1",          "1.",          ".5",
                           "1e",        "0x10",     "NaN",         "1 2",         "1,2",
                           "1],[2",     "[1",       "[1,]",        "[,1]",        "{",
                           "{\"a\"}",   "{\"a\":}", "{\"a\":1,}",  "{a:1}",       "{'a':1}",
                           "\"",        "\"\\x\"",  "\"\\u12\"",   "\"\\ud800\"", "\"a\tb\"",
                           "]",         "[1}",      "{\"a\":1]",   "\"a\" \"b\"", "\"a\"b",
                           "{\"a\" 1}", "[1 2]",    "// x\n1",     "\"\xff\"",    "\"\xc0\x80\"",
                           "[tru]",     "[truex]",  "{\"a\":nul}", "1]",          "[\"a\"\"b\"]"})
    EXPECT_FALSE(accepted(text)) << text;
}

TEST(JsonText, NestsOnlySoDeep) {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_TRUE(accepted(nested(kJsonDepthMax - 1)));
  EXPECT_FALSE(accepted(nested(kJsonDepthMax)));
  EXPECT_FALSE(accepted(nested(1'000'000)));
}

TEST(JsonText, StandsOnOneLineOnlyAsItIs) {
  JsonReader reader;
  EXPECT_TRUE(reader.is_one_line(R"({"a": 1})"));
  for (const auto* text : {"", " {}", "{} ", "{\n}", "{}\n", "{\r}", "text"})
    EXPECT_FALSE(reader.is_one_line(text)) << text;
}

TEST(JsonText, WritesStringsThatAreReadBack) {
  JsonReader reader;
  std::string all;
  for (int byte = 0; byte < 0x80; ++byte) all += static_cast<char>(byte);
  all += "é😀";
  std::string text;
  append_json_string(all, text);
  EXPECT_TRUE(accepted(text));
  EXPECT_EQ(reader.unquote(text).value(), all);
}

// Damaged at a random place, a text is judged as another parser judges it. Numbers are left alone:
// the other parser refuses those that overflow.
TEST(JsonText, AgreesWithAnotherParserOnDamagedText) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const std::string whole =
      R"({"stream":"a-1","data":{"list":[true,false,null,"x\ny",{"k":[]}],"n":12.5},"tags":["t"]})";
  const std::string alphabet = "{}[]\",:tfn0 \\ux\n\t\x01\xc3\xa9";
  for (int i = 0; i < 20'000; ++i) {
    auto text = whole;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      const auto at = random() % text.size();
      const char byte = alphabet[random() % alphabet.size()];
      switch (random() % 3) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), byte);
          break;
        default:
          text.erase(at, 1);
          break;
      }
    }
    EXPECT_EQ(accepted(text), nlohmann::json::accept(text)) << text;
  }
}

}  // namespace
}  // namespace esdb::tools
