#include "storage/index_commit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "esdb/query.h"
#include "storage/index_reader.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/storage/every_row.h"

namespace esdb::storage {
namespace {

constexpr std::uint64_t kSeed = 99;

// An index, and what is written to it.
struct CommittedIndex {
  CommittedIndex() { meta.next_term = 1; }
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
  void end() {
    ++mark.frame_number;
    generation->end_frame(mark);
    ending = std::exchange(generation, std::make_shared<Generation>(mark, 16));
  }
  // One transaction of what has ended.
  Result<bool> write(GenerationCommit& commit, std::size_t dirty_bytes) {
    auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite).value();
    MetaRow next = meta;
    auto is_all = commit.write(transaction, next, dirty_bytes);
    if (!is_all) return is_all;
    transaction.commit().value();
    meta = next;
    return is_all;
  }
  Result<bool> commit() {
    end();
    GenerationCommit commit(ending, kSeed, health);
    return write(commit, kPlenty);
  }
  // All but the meta row.
  Rows rows() const {
    return every_row(*environment,
                     {Tree::kTerms, Tree::kChunks, Tree::kSeconds, Tree::kTracking, Tree::kEpochs});
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
  std::map<std::string, std::uint64_t> versions;
  FrameMark mark;
  std::shared_ptr<Generation> generation = std::make_shared<Generation>(mark, 16);
  std::shared_ptr<const Generation> ending;
  static constexpr std::size_t kPlenty = std::size_t{64} << 20;
};

struct IndexCommit : ::testing::Test, CommittedIndex {};

// What two generations of many terms leave: new ones, known ones, full lists, tracking.
void fill(CommittedIndex& index, const std::function<void()>& commit) {
  for (std::uint64_t round = 0; round < 2; ++round) {
    for (std::uint64_t at = 0; at < 300; ++at) {
      const auto stream = "s-" + std::to_string(at % 50 + round * 20);
      const auto version = ++index.versions[stream];
      index.add(stream, version, "tag-" + std::to_string(at * 7 % 90));
    }
    index.generation->add_epoch(Uuid{std::byte(round + 1)});
    index.generation->add_tracking("source", round);
    index.generation->add_tracking("source-" + std::to_string(round), round);
    index.end();
    commit();
  }
}

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
  EXPECT_EQ(to_mark(meta.mark).frame_number, mark.frame_number);
  EXPECT_EQ(to_mark(meta.mark).last, mark.last);
  EXPECT_EQ(meta.streams_at_mark, 2U);
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
  generation = std::make_shared<Generation>(mark, 16);
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

TEST_F(IndexCommit, LeavesTheSameRowsInOneTransactionAndInAsManyAsThereAreEntries) {
  fill(*this, [this] {
    GenerationCommit commit(ending, kSeed, health);
    EXPECT_TRUE(write(commit, kPlenty).value());
  });
  const auto expected = rows();
  const MetaRow whole = meta;
  struct Parts {
    std::size_t dirty_bytes;
    bool begins_again;  // with each transaction, as after a restart
  };
  for (const auto& parts : {Parts{1, false}, Parts{1, true}, Parts{20'000, true}}) {
    CommittedIndex other;
    std::size_t transactions = 0;
    fill(other, [&] {
      std::optional<GenerationCommit> commit;
      for (bool is_all = false; !is_all; ++transactions) {
        if (!commit || parts.begins_again) commit.emplace(other.ending, kSeed, other.health);
        is_all = other.write(*commit, parts.dirty_bytes).value();
        EXPECT_EQ(other.meta.is_between_marks(), !is_all);
      }
    });
    EXPECT_GT(transactions, parts.dirty_bytes == 1 ? 400 : 2);
    EXPECT_EQ(other.rows(), expected);
    EXPECT_TRUE(std::ranges::equal(bytes_of(other.meta), bytes_of(whole)));
  }
}

TEST_F(IndexCommit, ProvesTheFrameThatItHasAPartOf) {
  add("a-1", 1);
  add("b-1", 1);
  generation->add_epoch(Uuid{std::byte{7}});
  end();
  GenerationCommit commit(ending, kSeed, health);
  ASSERT_FALSE(write(commit, 1).value());
  const auto reader = IndexReader::begin(*environment, health, kSeed).value();
  EXPECT_EQ(reader.meta().mark.frame_number, 0);
  EXPECT_EQ(reader.meta().furthest().frame_number, mark.frame_number);
  EXPECT_TRUE(reader.has_epoch(Uuid{std::byte{7}}).value());
}

TEST_F(IndexCommit, MissesNoRowWhoseTurnIsStillToCome) {
  add("a-1", 1);
  add("b-1", 1);
  end();
  GenerationCommit commit(ending, kSeed, health);
  const auto found = [this](std::string_view stream) {
    TermRow row;
    return IndexReader::begin(*environment, health, kSeed)
        .value()
        .find(TermClass::kStream, stream, row);
  };
  std::size_t transactions = 0;
  for (bool is_all = false; !is_all; ++transactions) {
    is_all = write(commit, 1).value();
    ASSERT_TRUE(found("a-1"));
    ASSERT_TRUE(found("b-1"));
  }
  EXPECT_GT(transactions, 5);
  EXPECT_TRUE(*found("a-1"));
  EXPECT_TRUE(*found("b-1"));
}

TEST_F(IndexCommit, FindsDamageWhereARowIsGoneThatAnEarlierTransactionWrote) {
  add("b-1", 1);
  add("c-1", 1);
  end();
  GenerationCommit commit(ending, kSeed, health);
  TermRow row;
  const auto find = [&](std::string_view stream) {
    return IndexReader::begin(*environment, health, kSeed)
        .value()
        .find(TermClass::kStream, stream, row);
  };
  do ASSERT_FALSE(write(commit, 1).value());
  while (!find("b-1").value());
  auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite).value();
  for (const std::string_view gone : {"a-1", "d-1"})
    transaction.put(Tree::kSeconds, second_key('s', gone, kSeed), second_row(meta.next_term + 9))
        .value();
  transaction.commit().value();
  EXPECT_FALSE(find("d-1").value()) << "it may be to come";
  EXPECT_FALSE(find("a-1"));
  EXPECT_TRUE(health.is_damaged());
}

}  // namespace
}  // namespace esdb::storage
