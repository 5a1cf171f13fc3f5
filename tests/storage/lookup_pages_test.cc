// The part of Lookup that lists: terms and tracking by prefix, and counts.
#include <gtest/gtest.h>

#include "storage/index_environment.h"
#include "storage/index_rows.h"
#include "tests/storage/index_store.h"

namespace esdb::storage {
namespace {

// The first half of the streams is in the index, the second in the generations.
struct LookupPages : ::testing::Test {
  void open_with(std::vector<std::string> indexed, std::vector<std::string> in_memory) {
    store.open();
    add(std::move(indexed));
    store.commit();
    add(std::move(in_memory));
  }
  void add(std::vector<std::string> streams) {
    auto& tail = *store.tail;
    for (const auto& stream : streams) {
      ++mark.frame_number;
      mark.last.value += 1;
      add_event(tail, {.position = mark.last,
                       .version = ++versions[stream],
                       .stream = stream,
                       .type = "T",
                       .tags = {}});
      tail.end_frame(mark);
    }
  }
  Lookup lookup() {
    return Lookup::begin({.frame = mark.frame_number, .position = mark.last}, *store.tail,
                         store.index.get())
        .value();
  }
  std::string listed(TermClass kind, std::string_view prefix, std::string_view after,
                     std::size_t limit) {
    auto looking = lookup();
    const auto page = looking.page(kind, prefix, after, limit).value();
    std::string all;
    for (const auto& row : page.rows) all += row.text + "@" + std::to_string(row.head.count) + " ";
    return all + "next:" + page.next;
  }

  IndexStore store{1};
  FrameMark mark;
  std::map<std::string, std::uint64_t> versions;
};

TEST_F(LookupPages, MergeWhatIsOnDiskAndInMemory) {
  open_with({"b", "d", "b"}, {"a", "b", "c"});
  EXPECT_EQ(listed(TermClass::kStream, "", "", 10), "a@1 b@3 c@1 d@1 next:");
  EXPECT_EQ(listed(TermClass::kStream, "", "", 2), "a@1 b@3 next:b");
  EXPECT_EQ(listed(TermClass::kStream, "", "b", 2), "c@1 d@1 next:");
  EXPECT_EQ(listed(TermClass::kType, "", "", 2), "T@6 next:");
  EXPECT_EQ(listed(TermClass::kTag, "", "", 2), "next:");
}

TEST_F(LookupPages, ShowTheSystemsNamesOnlyWhereTheyAreAskedFor) {
  open_with({"!", "$a-1", "$b-1", "b"}, {"$a-2", "$b-1", "c"});
  EXPECT_EQ(listed(TermClass::kStream, "", "", 10), "!@1 b@1 c@1 next:");
  EXPECT_EQ(listed(TermClass::kStream, "$", "", 10), "$a-1@1 $a-2@1 $b-1@2 next:");
  EXPECT_EQ(listed(TermClass::kStream, "$a", "$a-1", 10), "$a-2@1 next:");
  EXPECT_EQ(listed(TermClass::kCategory, "", "", 10), "!@1 b@1 c@1 next:");
  EXPECT_EQ(listed(TermClass::kCategory, "$", "", 10), "$a@2 $b@2 next:");
  auto looking = lookup();
  EXPECT_EQ(looking.stream_count().value(), 3U);
  EXPECT_EQ(looking.system_event_count().value(), 4U);
}

TEST_F(LookupPages, BeginBehindAPositionBeforeThePrefix) {
  open_with({"a-1", "b-1"}, {"b-2", "c-1"});
  EXPECT_EQ(listed(TermClass::kStream, "b", "a", 10), "b-1@1 b-2@1 next:");
  EXPECT_EQ(listed(TermClass::kStream, "b", "c", 10), "next:");
  EXPECT_EQ(listed(TermClass::kStream, "b-", "b-1", 0), "b-2@1 next:") << "at least one row";
}

TEST(LookupPagesOfADamagedIndex, TakeAWholeListWithTooFewRowsForDamage) {
  IndexStore store{2};
  store.open();
  store.write(5);
  store.commit();
  store.index.reset();
  const auto options = store.options();
  {
    auto environment = Environment::open(options.directory, Environment::Mode::kReadWrite).value();
    auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite).value();
    auto meta = *read_meta_row(*transaction.get(Tree::kMeta, meta_key()).value(), options.seed);
    ++meta.types;
    seal(meta, options.seed);
    transaction.put(Tree::kMeta, meta_key(), bytes_of(meta)).value();
    transaction.commit().value();
  }
  store.index = Index::open(options, *store.log).value();
  auto lookup = Lookup::begin(*store.log, *store.tail, store.index.get()).value();
  EXPECT_TRUE(lookup.page(TermClass::kCategory, "", "", kPageMax));
  EXPECT_FALSE(lookup.page(TermClass::kType, "", "", kPageMax));
  EXPECT_TRUE(store.index->needs_rebuild());
}

}  // namespace
}  // namespace esdb::storage
