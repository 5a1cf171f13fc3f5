#include "storage/frame_survey.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <utility>

#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

// The first segment of a log of a few frames, read back.
class FrameSurveying : public ::testing::Test {
 protected:
  FrameSurveying() {
    LogDriver driver(io_, log_options("store"));
    EXPECT_EQ(driver.open(), "");
    for (int i = 0; i < 5; ++i) EXPECT_EQ(driver.append("s", std::string(3000, 'x')), "");
    driver.drop();
  }
  std::unique_ptr<OpenSegment> segment() {
    auto file = io_.open("store/log/" + segment_name(1), OpenMode::kReadWrite).value();
    const auto header = read_segment_header(*file).value().value();
    auto made = std::make_unique<OpenSegment>(header, std::move(file),
                                              ArenaPool::take_beyond(pool_, header.segment_bytes));
    made->begin({});
    return made;
  }
  void write(std::uint64_t offset, std::string_view text) {
    auto file = io_.open("store/log/" + segment_name(1), OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_durable(offset, std::as_bytes(std::span(text))));
  }
  // Changes the header of the frame behind so many others, and makes its checksum right again.
  template <class Change>
  void forge(std::size_t index, Change change) {
    auto whole = segment();
    survey_frames(*whole, read_image(*whole)->written_to, false);
    const auto at = whole->frame_entry(index).offset;
    FrameHeader header;
    std::memcpy(&header, whole->image().data() + at, sizeof(header));
    change(header);
    header.checksum = checksum_of(header, whole->header().seed);
    write(at, {reinterpret_cast<const char*>(&header), sizeof(header)});
  }
  struct ReadBack {
    FrameSurvey survey{};
    std::uint32_t frames{};
  };
  ReadBack read_back() {
    auto again = segment();
    auto survey = survey_frames(*again, read_image(*again)->written_to, false);
    return {std::move(survey), again->frame_count()};
  }

  MemoryIo io_;
  std::shared_ptr<ArenaPool> pool_ = std::make_shared<ArenaPool>(1);
};

TEST_F(FrameSurveying, TakesInEveryFrameThatFollows) {
  auto read_back = segment();
  const auto image = read_image(*read_back).value();
  EXPECT_EQ(image.file_bytes, std::uint64_t{1} << 20);
  EXPECT_EQ(survey_frames(*read_back, image.written_to, false).stopped_by, "zeros");
  EXPECT_EQ(read_back->frame_count(), 6U);  // an epoch and five commits
  EXPECT_EQ(read_back->last(), Position{5});
}

TEST_F(FrameSurveying, StopsAtATornFrameAndStillHearsThoseBehindIt) {
  auto whole = segment();
  const auto all = read_image(*whole).value();
  survey_frames(*whole, all.written_to, false);
  write(whole->frame_entry(3).offset + 1000, "torn");
  auto read_back = segment();
  const auto image = read_image(*read_back).value();
  const auto survey = survey_frames(*read_back, image.written_to, false);
  EXPECT_EQ(read_back->frame_count(), 3U);
  EXPECT_NE(survey.stopped_by.find("torn"), std::string::npos);
  EXPECT_EQ(survey.claimed, 5U);
}

TEST_F(FrameSurveying, HearsClaimsOnlyWhereNothingFollows) {
  auto read_back = segment();
  const auto image = read_image(*read_back).value();
  const auto survey = survey_frames(*read_back, image.written_to, true);
  EXPECT_EQ(read_back->frame_count(), 0U);
  EXPECT_EQ(survey.claimed, 5U);
}

TEST_F(FrameSurveying, StopsAtAFrameOfALaterFormatAndSaysWhich) {
  forge(3, [](FrameHeader& header) { header.format = kFormatVersion + 1; });
  const auto found = read_back();
  EXPECT_EQ(found.frames, 3U);
  EXPECT_EQ(found.survey.format_unknown, kFormatVersion + 1);
}

TEST_F(FrameSurveying, StopsAtAFrameThatLeavesNoRoomForTheFooter) {
  // Beyond the segment; or within it, where its footer will stand.
  for (const std::uint32_t length : {0xffff'ff00U, (1U << 20) - (24U << 10)}) {
    forge(5, [length](FrameHeader& header) { header.length = length; });
    const auto found = read_back();
    EXPECT_EQ(found.frames, 5U) << length;
    EXPECT_EQ(found.survey.stopped_by, "a frame that leaves its segment's footer no room")
        << length;
  }
}

TEST_F(FrameSurveying, StopsAtAFrameThatDoesNotFollow) {
  forge(3, [](FrameHeader& header) { ++header.frame_number; });
  const auto found = read_back();
  EXPECT_EQ(found.frames, 3U);
  EXPECT_EQ(found.survey.stopped_by, "a stale frame: it is frame 5, not 4");
}

TEST_F(FrameSurveying, SeesBytesThatAreNoFrame) {
  write(500'000, "noise");
  auto read_back = segment();
  const auto image = read_image(*read_back).value();
  EXPECT_GT(image.written_to, 500'000U);
  EXPECT_EQ(survey_frames(*read_back, image.written_to, false).stopped_by, "zeros");
  EXPECT_EQ(read_back->frame_count(), 6U);
}

}  // namespace
}  // namespace esdb::storage
