#include "storage/index_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "storage/generation.h"
#include "storage/index_commit.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::storage {
namespace {

constexpr std::uint64_t kSeed = 99;

// An index with one stream of `count` events, at every third position.
struct OneStream {
  explicit OneStream(std::uint64_t count) {
    MetaRow meta;
    meta.next_term = 1;
    auto generation = std::make_shared<Generation>(FrameMark{}, 16);
    for (std::uint64_t i = 1; i <= count; ++i) {
      positions.push_back(i * 3);
      generation->add({.position = i * 3,
                       .version = i,
                       .stream = term(TermClass::kStream, "s"),
                       .category = term(TermClass::kCategory, "s"),
                       .type = term(TermClass::kType, "T")});
    }
    generation->add_tracking("source", 5);
    generation->add_epoch(Uuid{std::byte{1}});
    generation->end_frame({.frame_number = 1, .last = count * 3, .epoch_id = Uuid{std::byte{1}}});
    auto transaction = begin(Transaction::Kind::kWrite);
    GenerationCommit commit(generation, kSeed, health);
    EXPECT_TRUE(commit.write(transaction, meta, std::size_t{1} << 30).value());
    transaction.commit().value();
  }
  Transaction begin(Transaction::Kind kind) {
    return Transaction::begin(*environment, kind).value();
  }
  IndexReader reader() { return IndexReader::begin(*environment, health, kSeed).value(); }
  void overwrite(Tree tree, Bytes key, Bytes value) {
    auto transaction = begin(Transaction::Kind::kWrite);
    transaction.put(tree, key, value).value();
    transaction.commit().value();
  }

  fixtures::ScratchDirectory directory;
  std::unique_ptr<Environment> environment =
      Environment::open(directory.path(), Environment::Mode::kReadWrite).value();
  IndexHealth health{{}, {}};
  std::vector<std::uint64_t> positions;
};

TEST(IndexReader, SeeksInListsOfAnyLength) {
  const std::uint64_t seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const std::uint64_t count : {1, 127, 128, 129, 256, 257, 1000, 5000}) {
    OneStream index(count);
    const auto reader = index.reader();
    TermRow row;
    ASSERT_TRUE(reader.find(TermClass::kStream, "s", row).value());
    ASSERT_EQ(row.count, count);
    IndexedPostings postings(reader, row);
    const auto& all = index.positions;
    for (int i = 0; i < 500; ++i) {
      const std::uint64_t at = random() % (count * 3 + 5);
      const auto above = std::ranges::lower_bound(all, at);
      ASSERT_EQ(postings.seek(at).value().value, above == all.end() ? 0 : *above) << at;
      const auto behind = std::ranges::upper_bound(all, at);
      ASSERT_EQ(postings.seek_back(at).value().value, behind == all.begin() ? 0 : behind[-1]) << at;
      const std::uint64_t ordinal = random() % (count + 2);
      ASSERT_EQ(postings.nth(ordinal).value().value,
                ordinal == 0 || ordinal > count ? 0 : all[ordinal - 1]);
    }
    for (std::uint64_t i = 0; i < count; ++i)
      ASSERT_EQ(postings.seek(all[i] - 1).value().value, all[i]);
    for (std::uint64_t i = count; i > 0; --i)
      ASSERT_EQ(postings.seek_back(all[i - 1] + 1).value().value, all[i - 1]);
  }
}

TEST(IndexReader, FindsNothingThatIsNotThere) {
  OneStream index(10);
  const auto reader = index.reader();
  TermRow row;
  EXPECT_FALSE(reader.find(TermClass::kStream, "other", row).value());
  EXPECT_FALSE(reader.find(TermClass::kTag, "s", row).value());
  EXPECT_FALSE(reader.tracked("other").value());
  EXPECT_EQ(reader.tracked("source").value(), 5U);
  EXPECT_TRUE(reader.has_epoch(Uuid{std::byte{1}}).value());
  EXPECT_FALSE(reader.has_epoch(Uuid{std::byte{2}}).value());
  EXPECT_FALSE(index.health.is_damaged());
}

TEST(IndexReader, TakesAMissingRowForDamageBecauseItsSecondEntryIsThere) {
  OneStream index(10);
  const SecondKey key = second_key('s', "gone", kSeed);
  index.overwrite(Tree::kSeconds, key, second_row(77));
  const auto reader = index.reader();
  TermRow row;
  EXPECT_FALSE(reader.find(TermClass::kStream, "gone", row));
  EXPECT_TRUE(index.health.is_damaged());
  EXPECT_FALSE(IndexReader::begin(*index.environment, index.health, kSeed));
}

TEST(IndexReader, TakesAMissingTrackingPositionForDamage) {
  OneStream index(10);
  const SecondKey key = second_key(kSourceKind, "gone", kSeed);
  index.overwrite(Tree::kSeconds, key, second_row(0));
  EXPECT_FALSE(index.reader().tracked("gone"));
  EXPECT_TRUE(index.health.is_damaged());
}

TEST(IndexReader, TakesAMissingOrForeignChunkForDamage) {
  for (const bool missing : {true, false}) {
    OneStream index(1000);
    TermRow row;
    {
      const auto reader = index.reader();
      ASSERT_TRUE(reader.find(TermClass::kStream, "s", row).value());
    }
    if (missing) {
      row.number += 1000;  // its chunks are nowhere
    } else {
      // Another chunk's bytes in the place of this one's.
      std::vector<std::byte> value;
      {
        auto transaction = index.begin(Transaction::Kind::kRead);
        const auto other = transaction.get(Tree::kChunks, chunk_key(row.number, 2)).value();
        value.assign(other->begin(), other->end());
      }
      index.overwrite(Tree::kChunks, chunk_key(row.number, 1), value);
    }
    const auto reader = index.reader();
    IndexedPostings postings(reader, row);
    EXPECT_FALSE(postings.nth(200));
    EXPECT_TRUE(index.health.is_damaged());
  }
}

TEST(IndexReader, CountsEpochsBeforeItSaysThatOneWasNeverSeen) {
  OneStream index(10);
  const Uuid one_more{std::byte{3}};
  index.overwrite(Tree::kEpochs, one_more, number_row(Tree::kEpochs, one_more, 1, kSeed));
  EXPECT_FALSE(index.reader().has_epoch(Uuid{std::byte{2}}));
  EXPECT_TRUE(index.health.is_damaged());
}

TEST(IndexReader, RefusesAnotherStoresMetaRow) {
  OneStream index(10);
  EXPECT_FALSE(IndexReader::begin(*index.environment, index.health, kSeed + 1));
}

}  // namespace
}  // namespace esdb::storage
