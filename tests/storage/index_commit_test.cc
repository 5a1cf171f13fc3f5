#include "storage/index_commit.h"

#include <gtest/gtest.h>

#include "esdb/query.h"
#include "storage/index_reader.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

constexpr std::uint64_t kSeed = 99;

struct IndexCommit : ::testing::Test {
  IndexCommit() { meta.next_term = 1; }
  void add(std::string_view stream, std::uint64_t version, std::string_view tag = {}) {
    const TermRef tags[] = {term(TermClass::kTag, tag)};
    const IndexedEvent event{.position = mark.last.value += 1,
                             .version = version,
                             .stream = term(TermClass::kStream, stream),
                             .category = term(TermClass::kCategory, category_of(stream)),
                             .type = term(TermClass::kType, "T"),
                             .tags = std::span(tags).first(tag.empty() ? 0 : 1)};
    generation->add(event);
  }
  Result<void> commit() {
    ++mark.frame_number;
    generation->end_frame(mark);
    auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite).value();
    auto written = write_generation(transaction, *generation, meta, kSeed, health);
    if (written) transaction.commit().value();
    generation = std::make_unique<Generation>(mark, 16);
    return written;
  }
  TermRow row_of(TermClass kind, std::string_view text) {
    const auto reader = IndexReader::begin(*environment, health, kSeed).value();
    TermRow row;
    EXPECT_TRUE(reader.find(kind, text, row).value()) << text;
    return row;
  }

  fixtures::ScratchDirectory directory;
  std::unique_ptr<Environment> environment =
      Environment::open(directory.path(), Environment::Mode::kReadWrite).value();
  IndexHealth health{{}, {}};
  MetaRow meta;
  FrameMark mark;
  std::unique_ptr<Generation> generation = std::make_unique<Generation>(mark, 16);
};

TEST_F(IndexCommit, NumbersTermsInTheOrderOfTheirFirstAppearance) {
  add("z-1", 1, "y");
  add("a-1", 1, "x");
  commit().value();
  add("z-1", 2, "b");
  commit().value();
  EXPECT_EQ(row_of(TermClass::kStream, "z-1").number, 1U);
  EXPECT_EQ(row_of(TermClass::kCategory, "z").number, 2U);
  EXPECT_EQ(row_of(TermClass::kType, "T").number, 3U);
  EXPECT_EQ(row_of(TermClass::kTag, "y").number, 4U);
  EXPECT_EQ(row_of(TermClass::kStream, "a-1").number, 5U);
  EXPECT_EQ(row_of(TermClass::kTag, "b").number, 8U);
  EXPECT_EQ(meta.next_term, 9U);
}

TEST_F(IndexCommit, CountsTermsOfEachKindTheSystemsApart) {
  add("z-1", 1, "y");
  add("$s-1", 1, "y");
  add("z-1", 2, "x");
  generation->add_tracking("source", 3);
  commit().value();
  add("z-2", 1);
  generation->add_tracking("source", 4);
  commit().value();
  EXPECT_EQ(meta.streams, 2U);
  EXPECT_EQ(meta.system_streams, 1U);
  EXPECT_EQ(meta.categories, 1U);
  EXPECT_EQ(meta.system_categories, 1U);
  EXPECT_EQ(meta.types, 1U);
  EXPECT_EQ(meta.tags, 2U);
  EXPECT_EQ(meta.sources, 1U);
  EXPECT_EQ(meta.system_events, 1U);
  EXPECT_EQ(mark_of(meta).frame_number, mark.frame_number);
  EXPECT_EQ(mark_of(meta).last, mark.last);
  const auto reader = IndexReader::begin(*environment, health, kSeed).value();
  EXPECT_EQ(reader.tracked("source").value(), 4U);
  EXPECT_EQ(reader.meta().streams, 2U);
}

TEST_F(IndexCommit, MovesFullListsIntoChunks) {
  std::uint64_t version = 0;
  for (const std::uint64_t count : {128, 1, 127, 1, 300}) {
    for (std::uint64_t i = 0; i < count; ++i) add("s", ++version);
    commit().value();
    const TermRow row = row_of(TermClass::kStream, "s");
    EXPECT_EQ(row.count, version);
    EXPECT_EQ(row.in_row, (version - 1) % 128 + 1);
  }
  auto transaction = Transaction::begin(*environment, Transaction::Kind::kRead).value();
  // The stream's, the category's and the type's lists are the same.
  EXPECT_EQ(transaction.rows(Tree::kChunks).value(), 3 * ((version - 1) / 128));
}

TEST_F(IndexCommit, FindsDamageWhereAStreamDoesNotFollowItsRow) {
  add("s", 1);
  commit().value();
  mark.last.value += 1;  // an event that the index has not seen
  generation = std::make_unique<Generation>(mark, 16);
  add("s", 3);
  EXPECT_FALSE(commit());
  EXPECT_TRUE(health.is_damaged());
}

TEST_F(IndexCommit, FindsDamageWhereANewStreamHasARow) {
  add("s", 1);
  commit().value();
  add("s", 1);
  EXPECT_FALSE(commit());
  EXPECT_TRUE(health.is_damaged());
}

TEST_F(IndexCommit, FindsDamageWhereATermsRowIsGoneButItsSecondEntryIsThere) {
  auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite).value();
  transaction.put(Tree::kSeconds, second_key('g', "gone", kSeed), second_row(1)).value();
  transaction.commit().value();
  add("s", 1, "gone");
  EXPECT_FALSE(commit());
  EXPECT_TRUE(health.is_damaged());
}

}  // namespace
}  // namespace esdb::storage
