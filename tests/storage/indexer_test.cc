#include "storage/indexer.h"

#include <gtest/gtest.h>

#include "tests/storage/index_store.h"

namespace esdb::storage {
namespace {

TEST(Indexer, TakesTheOldestFrozenGenerationOnceItIsDurable) {
  IndexStore store(1);
  store.open();
  Indexer indexer(*store.index, *store.tail, *store.log);
  EXPECT_FALSE(indexer.step().value()) << "nothing is frozen";
  store.write(3);
  store.tail->freeze();
  store.write(3);
  store.tail->freeze();
  EXPECT_TRUE(indexer.step().value());
  EXPECT_EQ(store.index->indexed().frame_number, store.history.frames()[2].mark.frame_number);
  EXPECT_TRUE(indexer.step().value());
  EXPECT_FALSE(indexer.step().value());
  EXPECT_EQ(store.index->indexed().frame_number, store.history.last().frame_number);
  store.expect_truth();
}

TEST(Indexer, LeavesWhatIsNotDurable) {
  IndexStore store(2);
  store.open();
  Indexer indexer(*store.index, *store.tail, *store.log);
  HistoryFrame laid_out{.mark = {.frame_number = 1, .last = 1}};
  laid_out.events.push_back({.position = 1, .version = 1, .stream = "a", .type = "T"});
  add_frame(*store.tail, laid_out);
  store.tail->freeze();
  EXPECT_FALSE(indexer.step().value());
  EXPECT_EQ(store.index->indexed().frame_number, 0U);
  EXPECT_NE(store.tail->oldest_frozen(), nullptr);
}

}  // namespace
}  // namespace esdb::storage
