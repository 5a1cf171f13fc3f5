#include "storage/index_build.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/index_environment.h"
#include "storage/index_rows.h"
#include "tests/fixtures/file_size_limit.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"
#include "tests/storage/every_row.h"
#include "tests/storage/lookup_against.h"

namespace esdb::storage {
namespace {

constexpr std::uint64_t kSeed = 11;

// Frames of a history in generations, and indexes built of them.
struct BuiltIndex : ::testing::Test {
  void write(int frames) {
    for (int i = 0; i < frames; ++i) add_frame(tail, history.add_frame(60));
    tail.freeze();
  }
  // In transactions of so many bytes, every other one on a full disk if asked for; how many there
  // were.
  int build(std::size_t memory, std::size_t dirty_bytes, bool on_full_disk = false) {
    scratch = std::make_unique<fixtures::ScratchDirectory>();
    environment = Environment::open(scratch->path(), Environment::Mode::kBulk).value();
    auto build = IndexBuild::begin(scratch->path(), kSeed, memory).value();
    meta = {};
    meta.next_term = 1;
    for (const auto& generation : *tail.generations()) {
      if (generation->events() > 0) build->add(*generation).value();
      meta.mark = to_row(generation->end());
    }
    for (int transactions = 1;; ++transactions) {
      auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite).value();
      MetaRow next = meta;
      const auto is_all = [&] {
        std::optional<fixtures::FileSizeLimit> none;
        if (on_full_disk && transactions % 2 == 0) none.emplace(1);
        return build->write(transaction, next, dirty_bytes);
      }();
      if (!is_all) {
        EXPECT_EQ(is_all.error().code, ErrorCode::kDiskFull);
        ++full_disks;
        continue;
      }
      transaction.commit().value();
      meta = next;
      if (!*is_all) continue;
      EXPECT_EQ(build->events_written(), history.last().last.value);
      return transactions;
    }
  }
  storage::Rows rows() const {
    return every_row(*environment, {Tree::kTerms, Tree::kChunks, Tree::kSeconds, Tree::kMeta});
  }

  TermHistory history{fixtures::seed()};
  TailIndex tail{FrameMark{}, {.keeps_everything = false}};
  std::unique_ptr<fixtures::ScratchDirectory> scratch;
  std::unique_ptr<Environment> environment;
  MetaRow meta;
  int full_disks = 0;
};

TEST_F(BuiltIndex, HoldsTheSameRowsInOneTransactionAndInMany) {
  for (int generation = 0; generation < 9; ++generation) write(12);
  EXPECT_EQ(build(1 << 20, 1 << 30), 2) << "terms, then second entries";
  const auto at_once = rows();
  EXPECT_GT(build(1, 500), 20) << "second entries in runs of a few";
  EXPECT_EQ(rows(), at_once);
  build(1, 500, true);
  EXPECT_GT(full_disks, 5);
  EXPECT_EQ(rows(), at_once);
}

TEST_F(BuiltIndex, HoldsEachPositionOfEachTermOnce) {
  for (int generation = 0; generation < 9; ++generation) write(12);
  build(4'096, 100'000);
  auto transaction = Transaction::begin(*environment, Transaction::Kind::kRead).value();
  auto terms = transaction.cursor(Tree::kTerms).value();
  std::map<std::string, std::vector<std::uint64_t>> lists;
  std::uint64_t number = 0, streams = 0, chunks = 0;
  for (bool is = terms.first().value(); is; is = terms.next().value()) {
    TermRow row;
    ASSERT_TRUE(read_term_row(terms.key(), terms.value(), kSeed, row));
    EXPECT_EQ(row.number, ++number) << "in the order of keys";
    auto& list = lists[std::string(1, static_cast<char>(terms.key().front())) +
                       std::string(storage::text_of(terms.key()))];
    for (std::uint32_t at = 0; at < row.chunks(); ++at, ++chunks) {
      const auto key = chunk_key(row.number, at);
      const auto value = transaction.get(Tree::kChunks, key).value();
      ChunkList positions;
      ASSERT_TRUE(value && read_chunk(key, *value, kSeed, positions));
      list.insert(list.end(), positions.begin(), positions.end());
    }
    list.insert(list.end(), row.listed().begin(), row.listed().end());
    EXPECT_EQ(list.size(), row.count);
    streams += terms.key().front() == std::byte{'s'} ? 1 : 0;
    const auto second =
        second_key(static_cast<char>(terms.key().front()), storage::text_of(terms.key()), kSeed);
    const auto told = transaction.get(Tree::kSeconds, second).value();
    ASSERT_TRUE(told);
    EXPECT_EQ(read_second_row(*told), number);
  }
  EXPECT_GT(chunks, 0U);
  EXPECT_EQ(transaction.rows(Tree::kSeconds).value(), number);
  EXPECT_EQ(meta.streams + meta.system_streams, streams);
  EXPECT_EQ(meta.streams_at_mark, meta.streams);
  EXPECT_EQ(meta.next_term, number + 1);

  std::map<std::string, std::vector<std::uint64_t>> truth;
  for (const auto& frame : history.frames())
    for (const auto& event : frame.events) {
      const auto at = event.position.value;
      truth["s" + event.stream].push_back(at);
      truth["c" + std::string(category_of(event.stream))].push_back(at);
      if (is_system(event.stream)) continue;
      truth["t" + event.type].push_back(at);
      for (const auto& tag : event.tags) truth["g" + tag].push_back(at);
    }
  EXPECT_EQ(lists, truth);
}

TEST_F(BuiltIndex, OfNothingHoldsNothing) {
  EXPECT_EQ(build(1 << 20, 1 << 20), 1);
  EXPECT_EQ(meta.next_term, 1U);
  EXPECT_EQ(rows().size(), 1U) << "the meta row";
}

}  // namespace
}  // namespace esdb::storage
