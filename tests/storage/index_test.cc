#include "storage/index.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "storage/index_environment.h"
#include "storage/index_reader.h"
#include "tests/fixtures/file_size_limit.h"
#include "tests/fixtures/test_run.h"
#include "tests/storage/every_row.h"
#include "tests/storage/index_store.h"

namespace esdb::storage {
namespace {

LookupBound bound_of(const FrameMark& mark) {
  return {.frame = mark.frame_number, .position = mark.last};
}

TEST(Index, AnswersWithTheGenerationsWhatAWalkOverTheHistoryAnswers) {
  const std::uint64_t seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (const std::size_t dirty_bytes : {0, 2'000}) {
    IndexStore store(seed);
    store.dirty_bytes = dirty_bytes;
    store.open();
    auto& history = store.history;
    std::size_t between = 0;
    for (int i = 0; i < 200; ++i) {
      store.write(1, 20);
      if (history.random(8) == 0) store.tail->freeze();
      if (history.random(6) == 0 || dirty_bytes != 0) store.commit_part();
      if (history.random(20) != 0) continue;
      // Up to a durable frame that may lie behind what the index holds by now.
      const auto committed = to_mark(store.index->read().value()->meta().furthest());
      between += committed.frame_number != store.index->indexed().frame_number;
      const auto& durable = history.frames()[history.random(history.frames().size())].mark;
      auto lookup = Lookup::begin(bound_of(durable), *store.tail, store.index.get()).value();
      EXPECT_EQ(lookup.position(), std::max(durable.last, committed.last));
      EXPECT_EQ(lookup.frame(), std::max(durable.frame_number, committed.frame_number));
      expect_truth(lookup, history);
    }
    EXPECT_EQ(between > 0, dirty_bytes != 0);
  }
}

TEST(Index, GoesOnInTheMiddleOfAGenerationAfterARestart) {
  IndexStore store(fixtures::seed());
  store.dirty_bytes = 2'000;
  store.open();
  for (const std::size_t transactions : {1, 5, 20}) {
    store.commit_begun(40, transactions);
    const auto indexed = store.index->indexed();
    const auto end = store.history.last();
    store.write(10);
    store.log.reopen();
    for (const auto access : {Access::kReadOnly, Access::kReadWrite}) {
      store.index.reset();
      EXPECT_EQ(Index::claimed_frame(store.options(), end.epoch_id, access), end.frame_number);
      store.open(store.options(), access);
      EXPECT_EQ(store.index->indexed().frame_number, indexed.frame_number);
      EXPECT_EQ(store.index->first_end(), end.frame_number);
      store.expect_truth();
    }
  }
  store.commit();
  EXPECT_EQ(store.index->first_end(), 0);
  store.expect_truth();
}

TEST(Index, IsBroughtUpInTheMiddleOfAGenerationWhereTheRestIsTooMuch) {
  IndexStore store(fixtures::seed());
  store.dirty_bytes = 2'000;
  store.open();
  store.commit_begun(40, 5);
  store.write(20);
  store.log.reopen();
  auto options = store.options();
  options.replay_events_max = 1;
  store.open(options, Access::kReadWrite);
  EXPECT_TRUE(store.index->needs_rebuild());
  while (!store.index->rebuild_step(*store.log).value()) continue;
  EXPECT_EQ(store.index->indexed().frame_number, store.history.last().frame_number);
  store.expect_truth();
}

TEST(Index, RefusesALogThatHasLostWhatAPartOfAGenerationProvesDurable) {
  IndexStore store(fixtures::seed());
  store.dirty_bytes = 1;
  store.open();
  store.commit_begun(20, 1);
  ASSERT_EQ(store.index->indexed().frame_number, 0);
  store.index.reset();
  WrittenLog empty;
  for (const auto access : {Access::kReadOnly, Access::kReadWrite}) {
    const auto opened = access == Access::kReadOnly ? Index::open_read_only(store.options(), *empty)
                                                    : Index::open(store.options(), *empty);
    EXPECT_EQ(opened.error().code, ErrorCode::kRefused);
  }
}

TEST(Index, GoesOnAfterARestartWhereItWas) {
  const std::uint64_t seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  IndexStore store(seed);
  for (int restart = 0; restart < 3; ++restart) {
    store.log.reopen();
    const FrameMark before = store.index ? store.index->indexed() : FrameMark{};
    store.open();
    EXPECT_EQ(store.index->indexed().frame_number, before.frame_number);
    store.expect_truth();
    store.write(8);
    store.commit();
    store.write(4);
    store.expect_truth();
  }
}

TEST(Index, IsBuiltAnewFromTheLogWhenItIsGone) {
  IndexStore store(fixtures::seed());
  store.open();
  store.write(50);
  store.commit();
  store.index.reset();
  std::filesystem::remove_all(store.options().directory);
  store.open();
  EXPECT_EQ(store.index->indexed().frame_number, 0);
  store.expect_truth();
}

TEST(Index, HoldsTheSameRowsWhereverItsGenerationsAndTransactionsEnded) {
  const auto rows_of = [](const IndexStore& store) {
    const auto environment =
        Environment::open(store.options().directory, Environment::Mode::kReadOnly).value();
    return every_row(*environment, {Tree::kTerms, Tree::kChunks, Tree::kSeconds, Tree::kTracking});
  };
  IndexStore store(fixtures::seed());
  store.open();
  for (int i = 0; i < 40; ++i) {
    store.write(1 + store.history.random(5), 100);
    store.commit();
  }
  store.index.reset();
  const auto incremental = rows_of(store);
  for (const std::size_t dirty_bytes : {0, 20'000}) {
    std::filesystem::remove_all(store.options().directory);
    store.dirty_bytes = dirty_bytes;
    store.open();
    store.commit();
    store.index.reset();
    EXPECT_TRUE(rows_of(store) == incremental);
  }
}

TEST(Index, IsDiscardedAfterAnOpenThatDidNotComeBack) {
  IndexStore store(fixtures::seed());
  store.open();
  store.write(20);
  store.commit();
  store.index.reset();
  std::ofstream(store.options().directory + "/opening").put('\n');
  EXPECT_EQ(Index::claimed_frame(store.options(), {}, Access::kReadWrite), 0);
  store.open();
  EXPECT_EQ(store.index->indexed().frame_number, 0);
  store.expect_truth();
}

TEST(Index, ClaimsTheFrameItHasComeTo) {
  IndexStore store(fixtures::seed());
  EXPECT_EQ(Index::claimed_frame(store.options(), {}, Access::kReadWrite), 0) << "there is none";
  store.open();
  store.write(20);
  store.commit();
  const auto indexed = store.index->indexed();
  store.index.reset();
  auto options = store.options();
  for (const auto access : {Access::kReadOnly, Access::kReadWrite}) {
    EXPECT_EQ(Index::claimed_frame(options, indexed.epoch_id, access), indexed.frame_number);
    EXPECT_EQ(Index::claimed_frame(options, {}, access), indexed.frame_number);
    EXPECT_EQ(Index::claimed_frame(options, Uuid{std::byte{1}}, access), 0) << "never seen";
  }
  options.store_id[0] ^= std::byte{1};
  EXPECT_EQ(Index::claimed_frame(options, {}, Access::kReadOnly), 0) << "another store's";
  options = store.options();
  options.seed ^= 1;
  EXPECT_EQ(Index::claimed_frame(options, {}, Access::kReadOnly), 0) << "not intact";
}

TEST(Index, RefusesALogThatHasLostWhatItProvesDurable) {
  IndexStore store(fixtures::seed());
  store.open();
  store.write(20);
  const auto kept = store.history.frames().back().mark;
  store.write(20);
  store.commit();
  store.index.reset();
  const auto indexed = store.history.frames().back().mark;
  EXPECT_EQ(standing_of(indexed, std::nullopt, true), Standing::kLost);
  EXPECT_EQ(standing_of(indexed, std::nullopt, false), Standing::kRebuild);
  EXPECT_EQ(standing_of(indexed, indexed, true), Standing::kGoOn);
  auto other = indexed;
  other.checksum ^= 1;
  EXPECT_EQ(standing_of(indexed, other, true), Standing::kRebuild);
  EXPECT_EQ(standing_of(FrameMark{}, std::nullopt, true), Standing::kGoOn);
  EXPECT_LT(kept.frame_number, indexed.frame_number);

  // The index of one store beside the empty log of a new one that took over its identity.
  WrittenLog empty;
  auto options = store.options();
  const auto opened = Index::open(options, *empty);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kRefused);
  EXPECT_EQ(Index::open_read_only(options, *empty).error().code, ErrorCode::kRefused);
}

TEST(Index, OpensReadOnlyWithoutWriting) {
  IndexStore store(fixtures::seed());
  store.open();
  store.write(20);
  store.commit();
  store.write(5);
  store.index.reset();
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(store.options().directory))
      names.push_back(file.path());
    std::ranges::sort(names);
    return names;
  };
  const auto before = files();
  store.open(store.options(), Access::kReadOnly);
  store.expect_truth();
  EXPECT_EQ(files(), before);

  // Not even when it finds damage.
  {
    auto lease = store.index->read().value();
    EXPECT_FALSE(lease->damaged("a row").error().message.empty());
  }
  EXPECT_FALSE(store.index->read());
  EXPECT_EQ(files(), before);

  auto other = store.options();
  other.directory += "-none";
  EXPECT_EQ(Index::open_read_only(other, *store.log).value(), nullptr);
}

TEST(Index, OpensAgainAfterAFailedCommitAndTakesTheSameGeneration) {
  IndexStore store(fixtures::seed());
  store.dirty_bytes = 2'000;
  store.open();
  store.write(10);
  store.commit_begun(10, 2);
  const auto refused = [&] {
    const fixtures::FileSizeLimit none(1);
    return store.index->commit(store.tail->oldest_frozen());
  }();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable) << refused.error().message;
  store.expect_truth();
  store.commit();
  store.expect_truth();
}

TEST(Index, GivesItsDescriptorsToNoOtherProgram) {
  IndexStore store(fixtures::seed());
  store.open();
  store.write(10);
  store.commit();
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const auto file = std::filesystem::read_symlink(entry.path(), error);
    if (error || !file.string().starts_with(store.directory.path())) continue;
    ++seen;
    const int fd = std::stoi(entry.path().filename());
    EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC) << file;
  }
  EXPECT_GE(seen, 2U);
}

}  // namespace
}  // namespace esdb::storage
