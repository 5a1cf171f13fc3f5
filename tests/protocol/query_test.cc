#include "esdb/query.h"

#include <gtest/gtest.h>

#include "esdb/implement.h"
#include "protocol/encoded_event.h"

namespace esdb {
namespace {

bool found(const Query& query, std::string_view stream, std::string_view type = "T",
           std::pmr::vector<std::string_view> tags = {}) {
  std::vector<std::byte> bytes;
  protocol::encode({.id = EventId::make(), .stream = stream, .type = type, .tags = tags}, bytes);
  const RecordedEvent::Stored stored{.encoded = bytes};
  return query.matches(RecordedEvent(&stored));
}

TEST(Query, WithoutItemsItFindsNothing) { EXPECT_FALSE(found(Query{}, "a")); }

TEST(Query, EverythingFindsAllButTheSystemsEvents) {
  EXPECT_TRUE(found(everything(), "a"));
  EXPECT_FALSE(found(everything(), "$a"));
}

TEST(Query, AStreamOrACategoryWillDo) {
  const Query query(QueryItem{.streams = {"a-1", "b"}, .categories = {"c"}});
  EXPECT_TRUE(found(query, "a-1"));
  EXPECT_TRUE(found(query, "b"));
  EXPECT_TRUE(found(query, "c"));
  EXPECT_TRUE(found(query, "c-1-2"));
  EXPECT_FALSE(found(query, "a-2"));
  EXPECT_FALSE(found(query, "cc-1"));
}

TEST(Query, ATypeIsOneOfThoseNamedAndEveryTagIsThere) {
  const auto query = types({"A", "B"}).tagged({"x", {"k", "v"}});
  EXPECT_TRUE(found(query, "s", "A", {"k:v", "x", "y"}));
  EXPECT_TRUE(found(query, "s", "B", {"k:v", "x"}));
  EXPECT_FALSE(found(query, "s", "C", {"k:v", "x"}));
  EXPECT_FALSE(found(query, "s", "A", {"x"}));
}

TEST(Query, AnOrFindsWhatEitherDoes) {
  const auto query = stream("a") | types({"T"}).tagged({"t"});
  EXPECT_TRUE(found(query, "a", "X"));
  EXPECT_TRUE(found(query, "b", "T", {"t"}));
  EXPECT_FALSE(found(query, "b", "T"));
}

TEST(Query, NarrowingHoldsForEveryItem) {
  const auto query = (stream("a") | category("b")).types({"T"});
  EXPECT_TRUE(found(query, "a", "T"));
  EXPECT_TRUE(found(query, "b-1", "T"));
  EXPECT_FALSE(found(query, "a", "X"));
}

TEST(Query, NarrowingTypesTwiceLeavesWhatBothName) {
  const auto query = (types({"A", "B"}) | stream("s")).types({"B", "C"});
  EXPECT_EQ(to_string(query), "type:B | stream:s type:B,C");
  EXPECT_TRUE(types({"A"}).types({"B"}).items().empty()) << "no type is both";
  EXPECT_EQ(to_string(types({"A"}).types({})), "type:A") << "naming nothing narrows nothing";
}

TEST(Query, TheSystemsStreamsAreFoundOnlyByName) {
  EXPECT_TRUE(found(stream("$s-1"), "$s-1"));
  EXPECT_TRUE(found(category("$s"), "$s-1"));
  EXPECT_FALSE(found(types({"T"}), "$s-1"));
  EXPECT_FALSE(found(tagged({"t"}), "$s-1", "T", {"t"}));
  EXPECT_TRUE(found(everything() | stream("$s-1"), "$s-1"));
}

TEST(Query, ACategoryIsTheNameUpToTheFirstDash) {
  EXPECT_EQ(category_of("order-17-x"), "order");
  EXPECT_EQ(category_of("order"), "order");
  EXPECT_EQ(category_of("-17"), "");
}

}  // namespace
}  // namespace esdb
