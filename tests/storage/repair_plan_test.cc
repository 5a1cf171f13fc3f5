// The decisions of a repair, on logs that are made up: which segment stays, which is replaced,
// where the end is.
#include "storage/repair_plan.h"

#include <gtest/gtest.h>

#include <string>

#include "storage/memory_io.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

using Kind = DamagedFile::Kind;
using How = PlannedSegment::How;
using Item = RepairItem::Kind;

constexpr std::uint32_t kBlock = 4096;

// A log of sealed segments of ten frames and a hundred events each; the last one is open.
class Plan : public ::testing::Test {
 protected:
  DamagedFile named(std::uint32_t number, Kind kind) {
    DamagedFile file{.kind = kind,
                     .number = number,
                     .path = "store/log/" + segment_name(number),
                     .has_sound_header = true};
    file.header = {
        .number = number, .segment_bytes = 1 << 20, .block_bytes = kBlock, .unit_bytes = kBlock};
    return file;
  }
  DamagedFile sealed(std::uint32_t number) {
    auto file = named(number, Kind::kSealed);
    file.tail.segment = number;
    file.tail.first_frame = (number - 1) * 10 + 1;
    file.tail.frame_count = 10;
    file.tail.first_position = (number - 1) * 100 + 1;
    file.tail.event_count = 100;
    file.tail.unit_bytes = kBlock;
    file.claimed = number * 10;
    return file;
  }
  // Its first `frames` frames, and a claim.
  DamagedFile open(std::uint32_t number, std::uint32_t frames, std::uint64_t claimed) {
    auto file = named(number, Kind::kUnsealed);
    for (std::uint32_t i = 0; i < frames; ++i) {
      FrameHeader header;
      header.kind = FrameKind::kCommits;
      header.offset = (3 + i) * kBlock;
      header.frame_number = (number - 1) * 10 + 1 + i;
      header.first_position = (number - 1) * 100 + 1 + i * 10;
      header.event_count = 10;
      file.frames.push_back({.header = header, .bytes = kBlock});
    }
    file.written_to = (3 + frames) * kBlock;
    file.claimed = claimed;
    return file;
  }
  RepairPlan plan(std::uint64_t indexed) {
    auto made = plan_repair(io_, log_, [&](const Uuid&) { return indexed; });
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return made ? std::move(*made) : RepairPlan{};
  }
  // "link copy new", and what is lost: "corrupt 2: 101-200".
  static std::string told(const RepairPlan& plan) {
    std::string text;
    for (const auto& segment : plan.segments)
      text += segment.how == How::kLink         ? "link "
              : segment.how == How::kCopy       ? "copy "
              : segment.how == How::kSubstitute ? "substitute "
                                                : "new ";
    for (const auto& item : plan.items)
      text += std::string(item.kind == Item::kCut       ? "| cut "
                          : item.kind == Item::kCorrupt ? "| corrupt "
                                                        : "| header ") +
              std::to_string(item.segment) + ": " + to_string(item.first) + "-" +
              to_string(item.last) + " ";
    return text;
  }

  MemoryIo io_{};
  DamagedLog log_{};
};

TEST_F(Plan, LosesNothingOfALogThatIsWhole) {
  log_.files = {sealed(1), sealed(2), open(3, 4, 24)};
  const auto made = plan(24);
  EXPECT_EQ(told(made), "link link copy ");
  EXPECT_FALSE(made.begins_epoch);
  EXPECT_EQ(made.last, Position{240});
}

TEST_F(Plan, CutsWhereTheIndexKnowsMore) {
  log_.files = {sealed(1), sealed(2), open(3, 4, 23)};
  const auto made = plan(26);
  EXPECT_EQ(told(made), "link link copy | cut 3: 241-0 ");
  EXPECT_TRUE(made.begins_epoch);
  EXPECT_EQ(made.items.front().last_frame, 26U);
}

TEST_F(Plan, NamesWhatIsReadableBehindADamagedFrame) {
  log_.files = {sealed(1), open(2, 6, 16)};
  log_.files[1].frames.erase(log_.files[1].frames.begin() + 2);
  io_.make_directory("store/log").value();
  io_.open("store/log/" + segment_name(2), OpenMode::kCreate).value()->reserve(1 << 20).value();
  const auto made = plan(16);
  EXPECT_EQ(told(made), "link copy | cut 2: 121-0 ");
  EXPECT_EQ(made.items.front().readable, 30U);
  EXPECT_EQ(made.items.front().offset, 5 * kBlock);
}

TEST_F(Plan, PutsASubstituteForAMissingSegment) {
  log_.files = {sealed(1), {.number = 2, .path = "store/log/00000002.seg"}, open(3, 4, 24)};
  const auto made = plan(24);
  EXPECT_EQ(told(made), "link substitute copy | corrupt 2: 101-200 ");
  EXPECT_FALSE(made.begins_epoch);
  EXPECT_FALSE(made.reads_by_position_only);
  EXPECT_TRUE(plan(0).reads_by_position_only) << "without an index";
  EXPECT_TRUE(plan(19).reads_by_position_only) << "with one that has to be brought over the gap";
}

TEST_F(Plan, SharesOutWhatSeveralMissingSegmentsHeld) {
  log_.files = {sealed(1),
                {.number = 2, .path = "store/log/00000002.seg"},
                {.number = 3, .path = "store/log/00000003.seg"},
                sealed(4),
                open(5, 1, 41)};
  const auto made = plan(41);
  ASSERT_EQ(made.segments.size(), 5U);
  EXPECT_EQ(made.segments[1].behind.frame_number, 29U);
  EXPECT_EQ(made.segments[1].behind.last, Position{300});
  EXPECT_EQ(made.segments[2].before.frame_number, 29U);
  EXPECT_EQ(made.segments[2].behind.frame_number, 30U);
  EXPECT_EQ(made.segments[2].behind.last, Position{300});
}

TEST_F(Plan, TakesASegmentThatBothNeighboursContradictForTheStranger) {
  log_.files = {sealed(1), sealed(2), sealed(3), open(4, 1, 31)};
  log_.files[1].tail.first_frame = 5;
  log_.files[1].tail.first_position = 50;
  EXPECT_EQ(told(plan(31)), "link substitute link copy | corrupt 2: 101-200 ");
}

TEST_F(Plan, DoesNotChooseBetweenTwoThatContradictEachOther) {
  log_.files = {sealed(1), sealed(2), open(3, 1, 21)};
  log_.files[0].tail.frame_count = 9;
  log_.files[0].tail.event_count = 90;
  const auto made = plan_repair(io_, log_, {});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::kRefused);
  EXPECT_NE(made.error().message.find("nothing tells which"), std::string::npos)
      << made.error().message;
}

TEST_F(Plan, GoesOnInANewSegmentWhereTheNewestIsGone) {
  log_.files = {sealed(1), sealed(2)};
  const auto made = plan(20);
  EXPECT_EQ(told(made), "link link new | cut 3: 201-0 ");
  EXPECT_TRUE(made.begins_epoch);
  EXPECT_EQ(made.segments.back().number, 3U);
}

TEST_F(Plan, KeepsAnEmptyOpenSegmentForTheNewestThatItIs) {
  log_.files = {
      sealed(1), {.number = 2, .path = "store/log/00000002.seg"}, sealed(3), open(4, 0, 0)};
  log_.files[3].written_to = 0;
  const auto made = plan(30);
  EXPECT_EQ(told(made), "link substitute link copy | corrupt 2: 101-200 ");
  EXPECT_FALSE(made.begins_epoch);
}

TEST_F(Plan, CutsWhatNothingBounds) {
  log_.files = {sealed(1), {.number = 2, .path = "store/log/00000002.seg"}, open(3, 4, 24)};
  log_.files[2].frames.erase(log_.files[2].frames.begin());
  io_.make_directory("store/log").value();
  io_.open("store/log/" + segment_name(3), OpenMode::kCreate).value()->reserve(1 << 20).value();
  const auto made = plan(24);
  EXPECT_EQ(told(made), "link new | cut 2: 101-0 | cut 3: 101-0 ");
  EXPECT_EQ(made.last, Position{100});
}

TEST_F(Plan, KeepsWhatIsWholeOnBothSidesOfADamagedFrameInsideTheLog) {
  log_.files = {sealed(1), open(2, 10, 20), open(3, 4, 24)};
  log_.files[1].frames.erase(log_.files[1].frames.begin() + 3);
  log_.files[1].frames.erase(log_.files[1].frames.begin() + 7);
  const auto made = plan(24);
  EXPECT_EQ(told(made), "link substitute copy | corrupt 2: 131-140 | corrupt 2: 181-190 ");
  EXPECT_EQ(made.segments[1].whole.size(), 8U);
}

TEST_F(Plan, SaysThatAHeaderIsMadeAgain) {
  log_.files = {sealed(1), open(2, 4, 14)};
  log_.files[1].has_sound_header = false;
  const auto made = plan(14);
  EXPECT_EQ(told(made), "link copy | header 2: 0-0 ");
  EXPECT_FALSE(made.begins_epoch);
}

}  // namespace
}  // namespace esdb::storage
