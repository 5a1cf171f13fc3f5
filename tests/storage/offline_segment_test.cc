#include "storage/offline_segment.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

class OfflineSegments : public ::testing::Test {
 protected:
  OfflineSegments() {
    LogDriver driver(io_, log_options("store"));
    EXPECT_EQ(driver.open(), "");
    for (int i = 0; i < 5; ++i) EXPECT_EQ(driver.append("s", std::string(2000, 'x')), "");
    driver.close();
  }
  void write(std::uint64_t offset, std::string_view text) {
    auto file = io_.open("store/log/" + segment_name(1), OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_durable(offset, std::as_bytes(std::span(text))));
  }
  // Of each frame that is met: "" or its damage; the end of what is written goes to `end`.
  std::vector<std::string> walk(std::uint64_t& end) {
    const auto log = look_at_log(io_, "store").value();
    const auto& segment = log.segments.front();
    const auto bytes = SegmentBytes::read(io_, segment).value();
    std::vector<std::string> found;
    const auto& header = *segment.header;
    end = walk_frames(bytes.bytes(), header,
                      {first_frame_at(header.block_bytes), header.segment_bytes},
                      [&](const WalkedFrame& frame) -> Result<void> {
                        found.push_back(frame.damage);
                        offsets_.push_back(frame.offset);
                        return {};
                      })
              .value();
    return found;
  }

  MemoryIo io_;
  std::vector<std::uint64_t> offsets_{};
};

TEST_F(OfflineSegments, NoStoreIsSaidSo) {
  EXPECT_EQ(look_at_log(io_, "nothing").error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(io_.make_directory("empty/log"));
  EXPECT_EQ(look_at_log(io_, "empty").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(OfflineSegments, AnIndexWithoutALogTellsThatItWasDeleted) {
  ASSERT_TRUE(io_.make_directory("lost/index"));
  EXPECT_EQ(look_at_log(io_, "lost").error().code, ErrorCode::kRefused);
  ASSERT_TRUE(io_.make_directory("lost/log"));
  EXPECT_EQ(look_at_log(io_, "lost").error().code, ErrorCode::kRefused);
}

TEST_F(OfflineSegments, AWalkMeetsEveryFrame) {
  std::uint64_t end = 0;
  const auto found = walk(end);
  EXPECT_EQ(found, std::vector<std::string>(6));
  EXPECT_GT(end, offsets_.back());
}

TEST_F(OfflineSegments, DamageIsToldOnceAndTheWalkGoesOnBehindIt) {
  std::uint64_t end = 0;
  walk(end);
  const auto third = offsets_[2];
  offsets_.clear();
  write(third + 3, "no header");
  const auto found = walk(end);
  ASSERT_EQ(found.size(), 6U);
  EXPECT_EQ(found[2], "no frame header");
  EXPECT_EQ(found[3], "");
}

TEST_F(OfflineSegments, NoiseBehindTheLogIsMet) {
  std::uint64_t end = 0;
  write(700'000, "noise");
  const auto found = walk(end);
  ASSERT_EQ(found.size(), 7U);
  EXPECT_NE(found.back(), "");
  EXPECT_GT(end, 700'000U);
}

}  // namespace
}  // namespace esdb::storage
