#include "storage/footer_mending.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/storage/sealed_log.h"

namespace esdb::storage {
namespace {

using fixtures::Operation;
using ::testing::HasSubstr;

TEST(FooterMending, GivesBackEveryByteOfWhicheverTableIsDamaged) {
  SealedLog store;
  const auto whole = store.bytes_of(1);
  const auto tail = store.tail(1);
  for (const auto at :
       {tail.offsets_at, tail.ids_at, tail.ids_at + kFooterBlockBytes, tail.frames_at}) {
    store.flip(1, at + 100);
    ASSERT_FALSE(store.bytes_of(1) == whole);
    ASSERT_EQ(store.reopen(), "");
    EXPECT_EQ(compare(store.driver.log(), store.driver.written()), "") << at;
    EXPECT_EQ(store.compare_ids(1), "") << at;
    EXPECT_TRUE(store.driver.log().first_at_or_after(Time{}).has_value());
    store.driver.run_background();
    EXPECT_TRUE(store.bytes_of(1) == whole) << at;
    EXPECT_THAT(store.said, HasSubstr("built anew from its frames"));
  }
}

TEST(FooterMending, ServesAndMendsASegmentWhoseTablesAreAllGone) {
  SealedLog store;
  const auto whole = store.bytes_of(2);
  store.smash_footer(2);
  ASSERT_EQ(store.reopen(), "");
  EXPECT_EQ(compare(store.driver.log(), store.driver.written()), "");
  EXPECT_EQ(store.compare_ids(1), "");
  EXPECT_THAT(store.said, HasSubstr("00000002.seg is damaged"));
  for (const auto& event : store.driver.written()) {
    const Position positions[] = {event.position};
    BatchMemory batch;
    ASSERT_TRUE(store.driver.log().read_each(positions, {.bytes = 1}, batch).has_value());
    ASSERT_TRUE(store.driver.log().frame_of(event.position).has_value());
  }
  store.driver.run_background();
  EXPECT_TRUE(store.bytes_of(2) == whole);
  EXPECT_EQ(store.compare_ids(1), "");
}

// What is torn by a crash is found damaged as it was before, and the store opens.
TEST(FooterMending, ACrashInTheMiddleOfItIsMendedByTheNextOpening) {
  SealedLog store;
  const auto whole = store.bytes_of(1);
  for (std::uint64_t nth = 1;; nth += 4) {
    store.smash_footer(1);
    ASSERT_EQ(store.reopen(), "");
    ASSERT_EQ(store.compare_ids(1), "");
    const auto writes = store.io.count(Operation::kWrite);
    store.io.add({.operation = Operation::kWrite,
                  .nth = nth,
                  .times = 1'000,
                  .error = EIO,
                  .path = segment_name(1),
                  .done = 1'000});
    store.driver.run_background();
    store.io.clear();
    if (store.bytes_of(1) == whole) {
      EXPECT_GT(nth, 4U);
      break;
    }
    EXPECT_THAT(store.said, HasSubstr("stays damaged"));
    const auto tried = store.io.count(Operation::kWrite) - writes;
    EXPECT_EQ(compare(store.driver.log(), store.driver.written()), "");
    store.driver.run_background();
    EXPECT_LE(store.io.count(Operation::kWrite) - writes, tried + 1) << "it is not tried again";
    ASSERT_EQ(store.reopen(), "");
    EXPECT_EQ(compare(store.driver.log(), store.driver.written()), "");
    ASSERT_EQ(store.compare_ids(1), "");
    store.driver.run_background();
    ASSERT_TRUE(store.bytes_of(1) == whole) << nth;
  }
}

TEST(FooterMending, AShortageIsWaitedOut) {
  SealedLog store;
  const auto whole = store.bytes_of(1);
  store.flip(1, store.tail(1).ids_at);
  ASSERT_EQ(store.reopen(), "");
  ASSERT_EQ(store.compare_ids(1), "");
  store.io.add({.operation = Operation::kOpen, .error = EMFILE, .path = segment_name(1)});
  const auto now = store.io.steady();
  while (store.driver.log().background_step(now).value()) {
  }
  EXPECT_FALSE(store.bytes_of(1) == whole);
  ASSERT_TRUE(store.driver.log().next_due().has_value());
  EXPECT_GT(*store.driver.log().next_due(), now);
  store.driver.run_background();
  EXPECT_TRUE(store.bytes_of(1) == whole);
}

TEST(FooterMending, LeavesAFooterWhoseFramesAreDamagedToo) {
  SealedLog store;
  const auto tail = store.tail(2);
  FileCache files(store.memory, "store/log");
  const auto last = store.reader(2, files).frame(tail.frame_count - 1).value();
  store.flip(2, tail.ids_at + 50);
  store.flip(2, last.offset + sizeof(FrameHeader) + 40);
  const auto damaged = store.bytes_of(2);
  ASSERT_EQ(store.reopen(), "");
  EXPECT_EQ(store.compare_ids(tail.first_position + tail.event_count), "")
      << "the window begins behind it";
  EXPECT_THAT(store.said, HasSubstr("recognised by their checks alone"));
  store.driver.run_background();
  EXPECT_THAT(store.said, HasSubstr("00000002.seg stays damaged"));
  EXPECT_TRUE(store.bytes_of(2) == damaged);
  EXPECT_EQ(store.driver.append("s", "goes on"), "");
  BatchMemory batch;
  EXPECT_EQ(
      store.driver.log().read_forwards(0, tail.first_position, {.bytes = 1 << 20}, batch).value(),
      Position{tail.first_position});
}

}  // namespace
}  // namespace esdb::storage
