#include "storage/segment_frames.h"

#include <gtest/gtest.h>

#include "storage/segment_reader.h"
#include "tests/storage/sealed_log.h"

namespace esdb::storage {
namespace {

struct FramesThemselves : ::testing::Test {
  SegmentReader reader() { return store.reader(2, files); }
  SealedLog store;
  FileCache files{store.memory, "store/log"};
};

TEST_F(FramesThemselves, SayWhatTheFooterSays) {
  auto segment = reader();
  SegmentFrames frames;
  for (std::size_t i = 0; i < segment.frames(); ++i) {
    const auto found = frames.frame(segment, i).value();
    const auto known = segment.frame(i).value();
    ASSERT_EQ(found.offset, known.offset);
    ASSERT_EQ(found.first_position, known.first_position);
    ASSERT_EQ(found.commit_time, known.commit_time);
  }
  for (auto position = segment.last(); position >= segment.first(); position = position.value - 1) {
    const auto index = segment.frame_of(position).value();
    const auto found = frames.event(segment, index, position).value();
    ASSERT_EQ(found.offset, segment.event_place(position)->offset);
    ASSERT_EQ(found.ends_commit, segment.event_place(position)->ends_commit);
    ASSERT_EQ(found.id.id, segment.event_id(position)->id);
    ASSERT_EQ(found.id.fingerprint, segment.event_id(position)->fingerprint);
  }
}

TEST_F(FramesThemselves, EndWhereAHeaderIsDamaged) {
  auto segment = reader();
  const auto tenth = segment.frame(10).value();
  store.flip(2, tenth.offset + 20);
  SegmentFrames frames;
  EXPECT_TRUE(frames.frame(segment, 9).has_value());
  const auto found = frames.frame(segment, 10);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(frames.frame(segment, 9).has_value());
}

TEST_F(FramesThemselves, GiveNoEventOfADamagedFrame) {
  auto segment = reader();
  const Position position = segment.first().value + 40;
  const auto index = segment.frame_of(position).value();
  store.flip(2, segment.event_place(position)->offset + 40);
  SegmentFrames frames;
  EXPECT_EQ(frames.event(segment, index, position).error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(frames.event(segment, index + 1, position.value + 3).has_value());
}

}  // namespace
}  // namespace esdb::storage
