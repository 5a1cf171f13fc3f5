#include "storage/segment_scan.h"

#include <gtest/gtest.h>

#include "tests/storage/sealed_log.h"

namespace esdb::storage {
namespace {

struct Scanning : ::testing::Test {
  SegmentReader reader(std::uint64_t frames_less = 0) {
    const auto end = tail.first_frame + tail.frame_count - 1 - frames_less;
    return {
        segment_of(tail),
        {.last = tail.first_position + tail.event_count - 1 - 3 * frames_less, .frame_number = end},
        store.header(1).seed,
        files};
  }
  // The frames given, and that every event of theirs stands where it is said to.
  std::vector<std::uint64_t> scan(SegmentReader segment, std::size_t from) {
    std::vector<std::uint64_t> frames;
    result = scan_segment(segment, from,
                          [&](const ScannedFrame& frame, const FrameHeader& header,
                              std::span<const std::byte> bytes) -> Result<void> {
                            EXPECT_EQ(frame.mark.frame_number, header.frame_number);
                            for (const auto& record : frame.records)
                              EXPECT_EQ(offset_of(record, header, bytes),
                                        segment.event_place(record.position)->offset);
                            frames.push_back(header.frame_number);
                            return {};
                          });
    return frames;
  }

  SealedLog store;
  FileCache files{store.memory, "store/log"};
  FooterTail tail = store.tail(1);
  Result<void> result{};
};

TEST_F(Scanning, MeetsEveryFrameFromTheOneAskedForOn) {
  for (const std::size_t from : {0U, 1U, 50U, tail.frame_count - 1}) {
    const auto frames = scan(reader(), from);
    ASSERT_TRUE(result.has_value());
    ASSERT_EQ(frames.size(), tail.frame_count - from);
    for (std::size_t i = 0; i < frames.size(); ++i)
      EXPECT_EQ(frames[i], tail.first_frame + from + i);
  }
}

TEST_F(Scanning, EndsWhereTheReaderDoes) {
  EXPECT_EQ(scan(reader(7), 0).size(), tail.frame_count - 7);
}

TEST_F(Scanning, NeedsNoFooter) {
  store.smash_footer(1);
  std::vector<std::uint64_t> frames;
  auto segment = reader();
  auto done = scan_segment(segment, 20,
                           [&](const ScannedFrame&, const FrameHeader& header,
                               std::span<const std::byte>) -> Result<void> {
                             frames.push_back(header.frame_number);
                             return {};
                           });
  ASSERT_TRUE(done.has_value()) << done.error().message;
  ASSERT_EQ(frames.size(), tail.frame_count - 20);
  EXPECT_EQ(frames.front(), tail.first_frame + 20);
  EXPECT_EQ(files.doubted_footer(), 1U);
}

TEST_F(Scanning, StopsAtADamagedFrameAndNamesIt) {
  const auto place = reader().frame(5).value();
  store.flip(1, place.offset + sizeof(FrameHeader) + 40);
  EXPECT_EQ(scan(reader(), 0).size(), 5U);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(result.error().message.find(std::to_string(place.offset)), std::string::npos);
}

}  // namespace
}  // namespace esdb::storage
