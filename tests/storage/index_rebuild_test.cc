// The part of Index that writes it anew, or on, from the log.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "storage/index_environment.h"
#include "storage/index_reader.h"
#include "storage/index_rows.h"
#include "tests/fixtures/file_size_limit.h"
#include "tests/fixtures/test_run.h"
#include "tests/storage/index_store.h"

namespace esdb::storage {
namespace {

struct IndexRebuild : ::testing::Test {
  IndexOptions impatient() const {
    auto options = store.options();
    options.replay_events_max = 10;
    options.generation_bytes = 100'000;  // so that it takes several steps
    return options;
  }
  // Steps until it is ready; how many there were.
  int rebuild() {
    int steps = 1;
    int percent = store.index->rebuild_percent();
    while (!store.index->rebuild_step(*store.log).value()) {
      EXPECT_GE(store.index->rebuild_percent(), percent);
      percent = store.index->rebuild_percent();
      EXPECT_LT(percent, 100);
      ++steps;
    }
    EXPECT_EQ(store.index->rebuild_percent(), 100);
    return steps;
  }

  IndexStore store{fixtures::seed()};
};

TEST_F(IndexRebuild, MakesALookupWaitWhileTheLogIsFarAhead) {
  store.write(60);
  store.open(impatient());
  ASSERT_TRUE(store.index->needs_rebuild());
  EXPECT_EQ(store.index->tail_begins().frame_number, store.history.last().frame_number);
  store.write(5);  // goes into the tail index meanwhile
  const auto lookup = Lookup::begin(*store.log, *store.tail, store.index.get());
  ASSERT_FALSE(lookup);
  EXPECT_EQ(lookup.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(lookup.error().message, "the index is being rebuilt: 0 %");
  EXPECT_GT(rebuild(), 2);
  store.expect_truth();
  EXPECT_FALSE(std::filesystem::exists(store.options().directory + ".new"));
  store.commit();
  store.log.reopen();
  store.open();
  EXPECT_EQ(store.index->indexed().frame_number, store.history.last().frame_number);
  store.expect_truth();
}

TEST_F(IndexRebuild, GoesOnAfterItStoppedReading) {
  store.write(60);
  store.open(impatient());
  ASSERT_FALSE(store.index->rebuild_step(*store.log).value());
  store.index->stop_reading();
  EXPECT_GT(rebuild(), 1);
  store.expect_truth();
}

TEST_F(IndexRebuild, GoesOnAfterATransactionThatFailedInTheMiddleOfAGeneration) {
  for (const bool in_place : {false, true}) {
    SCOPED_TRACE(in_place);
    store.write(40);
    if (in_place) store.commit();
    store.write(60);
    store.dirty_bytes = 2'000;
    store.open(impatient());
    for (int i = 0; i < 3; ++i) ASSERT_FALSE(store.index->rebuild_step(*store.log).value());
    {
      const fixtures::FileSizeLimit none(1);
      ASSERT_FALSE(store.index->rebuild_step(*store.log));
    }
    EXPECT_GT(rebuild(), 3);
    store.expect_truth();
    store.dirty_bytes = 0;
  }
}

TEST_F(IndexRebuild, FollowsDamageBetweenTwoMarks) {
  store.dirty_bytes = 2'000;
  store.open();
  for (const std::size_t frames : {30, 20}) {
    store.commit_begun(frames, 3);
    EXPECT_FALSE(store.index->read().value()->damaged("a row").error().message.empty());
    EXPECT_FALSE(store.index->commit(store.tail->oldest_frozen()));
    while (!store.index->rebuild_step(*store.log).value()) continue;
    store.expect_truth();
    store.commit();
    store.expect_truth();
  }
}

TEST_F(IndexRebuild, GoesOnInPlaceWhereThereIsAnIndex) {
  store.open();
  store.write(30);
  store.commit();
  const auto before = store.index->indexed();
  store.write(60);
  store.open(impatient());
  ASSERT_TRUE(store.index->needs_rebuild());
  EXPECT_EQ(store.index->indexed().frame_number, before.frame_number);
  EXPECT_GT(rebuild(), 1);
  EXPECT_FALSE(store.index->needs_rebuild());
  store.expect_truth();
}

TEST_F(IndexRebuild, BeginsAgainWhenItIsCutShort) {
  store.write(60);
  store.open(impatient());
  ASSERT_FALSE(store.index->rebuild_step(*store.log).value());
  ASSERT_TRUE(std::filesystem::exists(store.options().directory + ".new"));
  store.open(impatient());
  ASSERT_TRUE(store.index->needs_rebuild());
  EXPECT_EQ(store.index->indexed().frame_number, 0U);
  rebuild();
  store.expect_truth();
}

TEST_F(IndexRebuild, FollowsDamageThatALookupFinds) {
  store.open();
  store.write(30);
  store.commit();
  store.write(10);
  const auto& frames = store.history.frames();
  const auto& stream = std::find_if(frames.begin(), frames.end(),
                                    [](const auto& frame) { return !frame.events.empty(); })
                           ->events.front()
                           .stream;
  store.index.reset();
  {
    auto environment =
        Environment::open(store.options().directory, Environment::Mode::kReadWrite).value();
    auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite).value();
    TermKey space;
    const std::byte nothing[16]{};
    transaction.put(Tree::kTerms, term_key(TermClass::kStream, stream, space), nothing).value();
    transaction.commit().value();
  }
  store.index = Index::open(store.options(), *store.log).value();
  {
    auto lookup = Lookup::begin(*store.log, *store.tail, store.index.get()).value();
    ASSERT_FALSE(lookup.postings(term(TermClass::kStream, stream)));
    EXPECT_TRUE(store.index->needs_rebuild());
    EXPECT_FALSE(Lookup::begin(*store.log, *store.tail, store.index.get()));
  }
  EXPECT_TRUE(std::filesystem::exists(store.options().directory + "/damaged"));
  rebuild();
  EXPECT_FALSE(std::filesystem::exists(store.options().directory + "/damaged"));
  store.expect_truth();
  store.commit();
  store.expect_truth();
}

}  // namespace
}  // namespace esdb::storage
