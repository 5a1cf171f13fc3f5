#include "storage/open_segment.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "protocol/encoded_event.h"
#include "storage/footer.h"
#include "storage/frame_survey.h"
#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

class OneSegment : public ::testing::Test {
 protected:
  OneSegment() {
    EXPECT_TRUE(io_.make_directory("log"));
    auto file = make_segment(io_, "log", header_).value();
    pool_ = std::make_shared<ArenaPool>(2);
    segment_ = std::make_unique<OpenSegment>(header_, std::move(file),
                                             ArenaPool::take(pool_, header_.segment_bytes));
    segment_->begin({});
  }

  Log::Ended place(const std::vector<std::string>& data) {
    segment_->begin_frame({.kind = FrameKind::kCommits, .commit_time = 10});
    for (std::size_t i = 0; i < data.size(); ++i) {
      const DrivenEvent event{.stream = "s", .data = data[i]};
      const auto encoded = encode(event);
      segment_->add_event({.encoded = encoded,
                           .hash = protocol::hash_of(encoded),
                           .id = event.id,
                           .fingerprint = protocol::fingerprint_of(encoded),
                           .version = segment_->last().value + 1,
                           .ordinal = static_cast<std::uint32_t>(i),
                           .ends_commit = i + 1 == data.size()});
    }
    return segment_->end_frame(segment_->last_frame());
  }
  void write(const Log::Ended& ended) {
    ASSERT_TRUE(ended.write.file->write_durable(ended.write.offset, ended.write.bytes));
  }

  MemoryIo io_;
  SegmentHeader header_{
      .number = 1, .seed = 5, .segment_bytes = 1 << 20, .block_bytes = 4096, .unit_bytes = 4096};
  std::shared_ptr<ArenaPool> pool_;
  std::unique_ptr<OpenSegment> segment_;
};

TEST_F(OneSegment, FramesAreWholeUnitsOneBehindTheOther) {
  const auto first = place({"a", std::string(5000, 'b')});
  EXPECT_EQ(first.write.offset, first_frame_at(4096));
  EXPECT_EQ(first.write.bytes.size(), 8192U);
  EXPECT_EQ(first.mark.frame_number, 1U);
  EXPECT_EQ(first.mark.last, Position{2});
  const auto second = place({"c"});
  EXPECT_EQ(second.write.offset, first.write.offset + 8192);
  EXPECT_EQ(second.mark.frame_number, 2U);
}

TEST_F(OneSegment, WhatHasRoomFitsWithItsFooterToTheLastByte) {
  std::mt19937_64 random(3);
  for (;;) {
    const auto encoded = encode({.stream = "s", .data = std::string(random() % 9000, 'x')});
    if (!segment_->has_room(record_bytes(encoded.size()), 1)) break;
    write(place({std::string(encoded.size() - 200, 'x')}));
  }
  EXPECT_GT(segment_->used(), (1 << 20) * 9 / 10);
  EXPECT_TRUE(write_footer(*segment_).has_value());
}

// Fewer bytes each than any event or frame has: its tables end before its file does.
TEST_F(OneSegment, HasNoRoomForMoreThanItsTablesHold) {
  EXPECT_TRUE(segment_->has_room(0, 26'000));
  EXPECT_FALSE(segment_->has_room(0, 27'000));
  EXPECT_TRUE(segment_->has_room(0, 0, 8'000));
  EXPECT_FALSE(segment_->has_room(0, 0, 9'000));
}

TEST_F(OneSegment, CommitTimesDoNotGoBack) {
  segment_->begin_frame({.kind = FrameKind::kEpoch, .commit_time = 100});
  segment_->add_parent_epoch({});
  EXPECT_EQ(segment_->end_frame(0).mark.committed, Time{std::chrono::nanoseconds{100}});
  EXPECT_EQ(place({"a"}).mark.committed, Time{std::chrono::nanoseconds{100}});
}

TEST_F(OneSegment, IsReadBackAsItWasPlaced) {
  for (int i = 0; i < 20; ++i) write(place({"a", std::string(3000, 'b'), std::to_string(i)}));
  auto file = io_.open("log/" + segment_name(1), OpenMode::kRead).value();
  OpenSegment again(header_, std::move(file), ArenaPool::take(pool_, header_.segment_bytes));
  again.begin({});
  const auto read = read_image(again).value();
  EXPECT_EQ(read.written_to, segment_->used());
  const auto survey = survey_frames(again, read.written_to, false);
  EXPECT_EQ(survey.stopped_by, "zeros");
  EXPECT_EQ(survey.claimed, 19U);
  EXPECT_EQ(again.used(), segment_->used());
  EXPECT_EQ(again.last(), segment_->last());
  EXPECT_EQ(again.commit_time(), segment_->commit_time());
  const auto same = [](std::span<const std::byte> a, std::span<const std::byte> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  EXPECT_TRUE(same(again.bytes_of_offsets(), segment_->bytes_of_offsets()));
  EXPECT_TRUE(same(again.bytes_of_ids(), segment_->bytes_of_ids()));
  EXPECT_TRUE(same(again.bytes_of_frames(), segment_->bytes_of_frames()));
}

}  // namespace
}  // namespace esdb::storage
