#include <gtest/gtest.h>

#include <random>

#include "esdb/limits.h"
#include "esdb/query.h"
#include "tests/fixtures/test_run.h"

namespace esdb {
namespace {

std::string again(std::string_view text) { return to_string(Query::parse(text).value()); }

std::string message(std::string_view text) {
  const auto query = Query::parse(text);
  return query ? "accepted" : query.error().message;
}

TEST(QueryText, IsReadAsItIsWritten) {
  for (const auto* text :
       {"everything", "stream:order-1", "category:order",
        "type:Placed,Paid tag:vip | category:order", "tag:course:c1", "tag:email:a@b",
        "stream:a,b category:c type:T tag:x,y", "type:everything", "everything | stream:$system",
        "tag:\"a b\",\"c,d\",\"e|f\"", "tag:\"say \\\"no\\\"\",\"back\\\\slash\",\"\\x0a\"",
        "tag:\xc3\xa4"})
    EXPECT_EQ(again(text), text);
}

TEST(QueryText, BlanksAndRepeatedWordsAreReadLeniently) {
  EXPECT_EQ(again("  type:A\ttype:B   tag:x tag:y\n|stream:a stream:b  "),
            "type:A,B tag:x,y | stream:a,b");
  EXPECT_EQ(again("type:\"A\""), "type:A");
}

TEST(QueryText, TagsOfOneItemMustAllBeThere) {
  EXPECT_EQ(Query::parse("tag:a tag:b,c")->items().at(0).tags.size(), 3u);
  EXPECT_EQ(Query::parse("tag:a | tag:b")->items().size(), 2u);
}

TEST(QueryText, WhatIsWrongIsNamedWithItsPlace) {
  EXPECT_TRUE(message("typ:A").starts_with("query: unknown word \"typ\" at character 1 of"))
      << message("typ:A");
  EXPECT_TRUE(message("type:A | ").starts_with("query: nothing is asked for at character 10"))
      << message("type:A | ");
  EXPECT_TRUE(message("").starts_with("query: nothing is asked for at character 1"));
  for (const auto* text : {"|",
                           "nothing",
                           "type:",
                           "type:A,",
                           "type:A,,B",
                           "type A",
                           "everything type:A",
                           "type:A everything",
                           "everything everything",
                           "tag:\"open",
                           "tag:\"bad\\q\"",
                           "tag:\"\\x1\"",
                           "tag:\"\\xZZ\"",
                           "tag:a\"b\"",
                           "tag:\"a\"b",
                           "tag:a\\b",
                           "tag:\"\"",
                           "type:A ||type:B",
                           "everything:x",
                           ":A",
                           "tag:\"\\"})
    EXPECT_EQ(Query::parse(text).has_value(), false) << text;
}

TEST(QueryText, FormAndLimitsHoldAsForAnyQuery) {
  EXPECT_EQ(Query::parse("type:\"\\x0a\"").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Query::parse("tag:\xff").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Query::parse("stream:" + std::string(kStreamBytesMax + 1, 's')).error().code,
            ErrorCode::kTooLarge);
}

TEST(QueryText, AnyQueryRoundTrips) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto name = [&](bool control) {
    static constexpr std::string_view kCharacters = "ab:,| \"\\-$\xc3\xa4";
    std::string text;
    for (auto n = 1 + random() % 6; n != 0; --n) {
      if (control && random() % 8 == 0) {
        text += static_cast<char>(random() % 32);
      } else {
        const auto i = random() % (kCharacters.size() - 1);
        text += i >= 10 ? std::string("\xc3\xa4") : std::string(1, kCharacters[i]);
      }
    }
    return text;
  };
  for (int i = 0; i < 2'000; ++i) {
    Query query;
    for (auto items = 1 + random() % 3; items != 0; --items) {
      QueryItem item;
      for (auto n = random() % 3; n != 0; --n) item.streams.push_back(name(false));
      for (auto n = random() % 3; n != 0; --n) item.categories.push_back(name(false));
      for (auto n = random() % 3; n != 0; --n) item.types.push_back(name(false));
      for (auto n = random() % 3; n != 0; --n) item.tags.emplace_back(name(true));
      query = std::move(query) | Query(item);
    }
    const auto text = to_string(query);
    const auto read = Query::parse(text);
    ASSERT_TRUE(read) << text << ": " << read.error().message;
    ASSERT_EQ(read->items().size(), query.items().size()) << text;
    for (std::size_t k = 0; k < query.items().size(); ++k) {
      EXPECT_EQ(read->items()[k].streams, query.items()[k].streams) << text;
      EXPECT_EQ(read->items()[k].categories, query.items()[k].categories) << text;
      EXPECT_EQ(read->items()[k].types, query.items()[k].types) << text;
      EXPECT_EQ(read->items()[k].tags, query.items()[k].tags) << text;
    }
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace esdb
