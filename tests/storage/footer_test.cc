#include "storage/footer.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "tests/fixtures/faulty_io.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

using fixtures::FaultyIo;
using fixtures::Operation;

TEST(Footer, EntriesStandInBlocksThatTheyDoNotCross) {
  EXPECT_EQ(footer_place(8192, 0, 4).block_at, 8192U);
  EXPECT_EQ(footer_place(8192, 1021, 4).within, 1021U * 4);
  EXPECT_EQ(footer_place(8192, 1022, 4).block_at, 8192U + 4096);
  EXPECT_EQ(footer_place(8192, 1022, 4).within, 0U);
  EXPECT_EQ(footer_place(0, 169, 24).within, 169U * 24);
  EXPECT_EQ(footer_place(0, 170, 24).block_at, 4096U);
}

TEST(Footer, ABlockIsSoundAtItsPlaceOnly) {
  FooterBlock block{};
  block[7] = std::byte{1};
  const FooterBlockPlace place{.segment = 3, .offset = 8192};
  const auto checksum =
      checksum_of_footer_block(std::span(block).first(kFooterPayloadBytes), place, 5);
  std::memcpy(block.data() + kFooterPayloadBytes, &checksum, sizeof(checksum));
  EXPECT_TRUE(is_sound(block, place, 5));
  EXPECT_FALSE(is_sound(block, {.segment = 4, .offset = 8192}, 5));
  EXPECT_FALSE(is_sound(block, {.segment = 3, .offset = 4096}, 5));
  EXPECT_FALSE(is_sound(block, place, 6));
  block[100] = std::byte{1};
  EXPECT_FALSE(is_sound(block, place, 5));
}

// One that a store opened with larger appends found too small before anything was in it.
TEST(Footer, OneOfASegmentWithoutFramesHasNoTables) {
  MemoryIo io;
  LogDriver small(io, log_options("store"));
  ASSERT_EQ(small.open(), "");
  for (int i = 0; i < 10; ++i) ASSERT_EQ(small.append("s", std::string(30'000, 'x')), "");
  small.run_background();
  ASSERT_EQ(small.roll(), "");
  small.run_background();
  small.drop();
  auto file = io.open("store/log/" + segment_name(2), OpenMode::kRead).value();
  auto header = read_segment_header(*file).value().value();
  header.number = 3;
  header.segment_bytes = 4 << 20;
  ASSERT_TRUE(make_segment(io, "store/log", header).has_value());

  LogDriver large(io, log_options("store", 4 << 20));
  ASSERT_EQ(large.open(), "");
  large.take_over(small.written());
  ASSERT_EQ(large.append("s", std::string(1 << 20, 'y')), "");
  large.run_background();
  const auto tail = read_footer_tail(*file, 2, header.seed).value().value();
  EXPECT_EQ(tail.event_count, 0U);
  EXPECT_EQ(tail.frame_count, 0U);
  EXPECT_EQ(tail.first_commit_time, tail.last_commit_time);
  EXPECT_EQ(compare(large.log(), large.written()), "");
  EXPECT_EQ(large.log().recent_ids(100)->size(), 11U);
  for (const auto& event : large.written())
    EXPECT_TRUE(large.log().frame_of(event.position).has_value()) << event.position.value;
  large.drop();
  ASSERT_EQ(large.open(), "");
  EXPECT_EQ(compare(large.log(), large.written()), "");
  EXPECT_EQ(large.log().recent_ids(100)->size(), 11U);
}

TEST(Footer, AFailureWhileSealingStopsTheWriterAndLosesNothing) {
  for (const std::uint64_t nth : {1, 2}) {  // the tables, the tail
    MemoryIo memory;
    FaultyIo io(memory);
    LogDriver driver(io, log_options("store"));
    ASSERT_EQ(driver.open(), "");
    for (int i = 0; i < 10; ++i) ASSERT_EQ(driver.append("s", std::string(30'000, 'x')), "");
    driver.run_background();
    ASSERT_EQ(driver.roll(), "");
    io.add({.operation = Operation::kWrite, .nth = nth, .error = EIO, .path = segment_name(1)});
    auto did = driver.log().background_step(io.steady());
    ASSERT_FALSE(did.has_value());
    EXPECT_EQ(did.error().code, ErrorCode::kReadOnly);
    EXPECT_EQ(compare(driver.log(), driver.written()), "");
    driver.drop();
    ASSERT_EQ(driver.open(), "");
    EXPECT_EQ(compare(driver.log(), driver.written()), "");
  }
}

}  // namespace
}  // namespace esdb::storage
