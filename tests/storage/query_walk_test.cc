#include "storage/query_walk.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/fixtures/test_run.h"
#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

class Walks : public ::testing::Test {
 protected:
  Walks() : seed_(fixtures::seed()), random_(seed_) {
    for (int i = 0; i < 600; ++i) {
      auto event = event_of("cat" + any(3) + "-" + any(8), "T" + any(4));
      while (random_() % 2 == 0) event.tags.emplace_back("tag" + any(6));
      setup_.put("", std::move(event));
      if (random_() % 4 == 0) setup_.writer.advance();
    }
    setup_.writer.advance();
    EXPECT_TRUE(setup_.log->read_forwards(0, 600, {.bytes = 1 << 30}, all_));
  }
  std::string any(std::uint64_t below) { return std::to_string(random_() % below); }
  Query query() {
    QueryItem item;
    while (random_() % 3 == 0) item.streams.push_back("cat" + any(3) + "-" + any(9));
    while (random_() % 4 == 0) item.categories.push_back("cat" + any(4));
    while (random_() % 3 == 0) item.types.push_back("T" + any(5));
    while (random_() % 3 == 0) item.tags.emplace_back("tag" + any(7));
    Query made(item);
    return random_() % 3 == 0 ? std::move(made) | query() : made;
  }
  std::uint64_t next(const Query& query, std::uint64_t from, bool up) const {
    for (; from >= 1 && from <= all_.stored.size(); up ? ++from : --from)
      if (query.matches(RecordedEvent(&all_.stored[from - 1]))) return from;
    return 0;
  }
  Lookup lookup() { return Lookup::begin(*setup_.log, setup_.tail, nullptr).value(); }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  WriterSetup setup_{};
  BatchMemory all_{};
};

TEST_F(Walks, FindTheNextMatchFromAnywhereInBothDirections) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  auto looked_up = lookup();
  for (int round = 0; round < 200; ++round) {
    const auto asked = query();
    SCOPED_TRACE(to_string(asked));
    auto walk = QueryWalk::over(asked, looked_up);
    ASSERT_TRUE(walk);
    std::uint64_t matches = 0;
    for (std::uint64_t from = next(asked, 1, true); from != 0; from = next(asked, from + 1, true))
      ++matches;
    EXPECT_GE(walk->at_most(), matches);
    if (walk->is_everything()) continue;  // the log's own order is used then
    for (int step = 0; step < 30; ++step) {
      const auto from = 1 + random_() % 600;
      const bool up = random_() % 2 == 0;
      const auto found = up ? walk->seek(from) : walk->seek_back(from);
      ASSERT_TRUE(found);
      ASSERT_EQ(found->value, next(asked, from, up)) << (up ? "up from " : "down from ") << from;
    }
  }
}

TEST_F(Walks, MeetEveryMatchOnceInOrder) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  auto looked_up = lookup();
  for (int round = 0; round < 100; ++round) {
    const auto asked = query();
    SCOPED_TRACE(to_string(asked));
    for (const bool up : {true, false}) {
      auto walk = QueryWalk::over(asked, looked_up);
      ASSERT_TRUE(walk);
      if (walk->is_everything()) break;
      std::uint64_t from = up ? 1 : 600;
      for (auto match = next(asked, from, up); match != 0; match = next(asked, from, up)) {
        const auto found = up ? walk->seek(from) : walk->seek_back(from);
        ASSERT_TRUE(found);
        ASSERT_EQ(found->value, match);
        from = up ? match + 1 : match - 1;
        if (from == 0) break;
      }
      ASSERT_TRUE(from == 0 || (up ? walk->seek(from) : walk->seek_back(from))->value == 0U);
    }
  }
}

TEST_F(Walks, AnItemThatNamesNothingIsEverything) {
  auto looked_up = lookup();
  EXPECT_TRUE(QueryWalk::over(everything(), looked_up)->is_everything());
  EXPECT_TRUE(QueryWalk::over(types({"T1"}) | everything(), looked_up)->is_everything());
  const auto none = QueryWalk::over(types({"never"}), looked_up);
  EXPECT_FALSE(none->is_everything());
  EXPECT_EQ(none->at_most(), 0U);
}

}  // namespace
}  // namespace esdb::storage
