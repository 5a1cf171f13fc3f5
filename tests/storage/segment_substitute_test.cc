#include "storage/segment_substitute.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "storage/segment_scan.h"
#include "tests/storage/sealed_log.h"

namespace esdb::storage {
namespace {

// The second segment of a log, replaced by a substitute that lacks some of its frames.
class Substitute : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kNumber = 2;

  PlannedSegment planned(const std::set<std::size_t>& lost) {
    const auto tail = log_.tail(kNumber);
    PlannedSegment plan{.how = PlannedSegment::How::kSubstitute,
                        .number = kNumber,
                        .header = log_.header(kNumber),
                        .before = {.last = tail.first_position - 1,
                                   .frame_number = tail.first_frame - 1,
                                   .epoch_id = tail.first_epoch_id,
                                   .commit_time = tail.first_commit_time},
                        .behind = {.last = tail.first_position + tail.event_count - 1,
                                   .frame_number = tail.first_frame + tail.frame_count - 1,
                                   .epoch_id = tail.last_epoch_id,
                                   .commit_time = tail.last_commit_time}};
    plan.frames_end = first_frame_at(plan.header.block_bytes);
    FileCache files(log_.io, "store/log");
    auto reader = log_.reader(kNumber, files);
    for (std::size_t i = 0; i < reader.frames(); ++i) {
      if (lost.contains(i)) continue;
      const auto header = reader.frame_header(i).value();
      plan.whole.push_back({.header = header, .bytes = frame_bytes(header, reader.unit_bytes())});
      plan.frames_end = plan.whole.back().end();
    }
    return plan;
  }
  void replace(const PlannedSegment& plan) {
    const auto bytes = log_.bytes_of(kNumber);
    std::vector<std::uint64_t> aligned(bytes.size() / 8);
    std::memcpy(aligned.data(), bytes.data(), bytes.size());
    log_.driver.drop();
    ASSERT_TRUE(make_substitute(log_.io, "store/log", plan, std::as_bytes(std::span(aligned))));
  }
  // Of the segment's positions, those that the log gives out as they were written; the others
  // answer kCorrupt.
  std::set<std::uint64_t> served() {
    std::set<std::uint64_t> positions;
    const auto tail = log_.tail(kNumber);
    for (std::uint64_t i = 0; i < tail.event_count; ++i) {
      const Position position = tail.first_position + i;
      BatchMemory batch;
      const auto read =
          log_.driver.log().read_forwards(position.value - 1, position, {.bytes = 1 << 20}, batch);
      if (!read) {
        EXPECT_EQ(read.error().code, ErrorCode::kCorrupt) << read.error().message;
        continue;
      }
      EXPECT_EQ(batch.stored.size(), 1U);
      const auto& known = log_.driver.written()[position.value - 1];
      EXPECT_EQ(batch.stored.front().id, known.id);
      EXPECT_EQ(protocol::data_of(batch.stored.front().encoded), known.data);
      positions.insert(position.value);
    }
    return positions;
  }

  SealedLog log_{};
};

TEST_F(Substitute, OfAllFramesIsTheSegmentItself) {
  const auto first = first_frame_at(log_.header(kNumber).block_bytes);
  const auto before = log_.bytes_of(kNumber).substr(first);
  replace(planned({}));
  EXPECT_TRUE(log_.bytes_of(kNumber).substr(first) == before);
}

TEST_F(Substitute, GivesWhatIsWholeAndAnswersCorruptForTheRest) {
  const auto tail = log_.tail(kNumber);
  replace(planned({0, 5, 6, tail.frame_count - 1}));
  ASSERT_EQ(log_.reopen(), "");
  EXPECT_EQ(served().size(), tail.event_count - 4 * 3);
  EXPECT_TRUE(served().contains(tail.first_position + 3));
  EXPECT_FALSE(served().contains(tail.first_position + 15));
  EXPECT_TRUE(served().contains(tail.first_position + 21));
  // The log goes on behind it.
  ASSERT_EQ(log_.driver.append("s", "more"), "");
}

TEST_F(Substitute, OfNothingHoldsThePlace) {
  const auto tail = log_.tail(kNumber);
  std::set<std::size_t> all;
  for (std::size_t i = 0; i < tail.frame_count; ++i) all.insert(i);
  replace(planned(all));
  ASSERT_EQ(log_.reopen(), "");
  EXPECT_TRUE(served().empty());
  BatchMemory batch;
  const Position behind = tail.first_position + tail.event_count;
  EXPECT_TRUE(log_.driver.log().read_forwards(behind.value - 1, behind, {.bytes = 1}, batch));
}

TEST_F(Substitute, IsLargerWhereItsFooterNeedsIt) {
  auto plan = planned({});
  plan.whole.clear();
  plan.frames_end = first_frame_at(plan.header.block_bytes);
  plan.behind.last = plan.before.last.value + 100'000;
  ASSERT_TRUE(make_substitute(log_.io, "store/log", plan, {}));
  EXPECT_GT(log_.header(kNumber).segment_bytes, plan.header.segment_bytes);
  EXPECT_EQ(log_.tail(kNumber).event_count, 100'000U);
}

}  // namespace
}  // namespace esdb::storage
