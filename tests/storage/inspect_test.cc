#include "storage/inspect.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "storage/posix_io.h"
#include "storage/segment_file.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

class Inspect : public ::testing::Test {
 protected:
  Inspect() : store_(directory_.path() + "/store"), driver_(io_, log_options(store_)) {
    EXPECT_EQ(driver_.open(), "");
    for (int i = 0; i < 4; ++i) EXPECT_EQ(driver_.append("s", std::to_string(i)), "");
    driver_.run_background();
    EXPECT_EQ(driver_.roll(), "");
    EXPECT_EQ(driver_.append("s", "4"), "");
    driver_.run_background();
    driver_.close();
  }

  fixtures::ScratchDirectory directory_;
  const std::string store_;
  PosixIo io_;
  LogDriver driver_;
};

TEST_F(Inspect, ShowsSealedOpenAndPreparedSegments) {
  const auto segments = inspect(store_).value();
  ASSERT_EQ(segments.size(), 3U);
  EXPECT_TRUE(segments[0].is_sealed);
  EXPECT_EQ(segments[0].events, 4U);
  EXPECT_EQ(segments[0].frames, 5U);
  EXPECT_EQ(segments[0].first, Position{1});
  EXPECT_FALSE(segments[1].is_sealed);
  EXPECT_EQ(segments[1].first, Position{5});
  EXPECT_EQ(segments[1].first_frame, 6U);
  EXPECT_EQ(segments[1].first_epoch, segments[0].last_epoch);
  ASSERT_EQ(segments[1].witnesses.size(), 2U);
  EXPECT_TRUE(segments[1].witnesses[0].is_clean || segments[1].witnesses[1].is_clean);
  EXPECT_EQ(segments[2].events, 0U);
  for (const auto& segment : segments) EXPECT_EQ(segment.damage, "");
}

TEST_F(Inspect, GoesOnBehindDamage) {
  {
    std::fstream file(store_ + "/log/" + segment_name(1),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096 + 2 * 4096 + 200);  // in the third frame
    file.put('?');
  }
  std::size_t whole = 0, damaged = 0;
  ASSERT_TRUE(inspect_frames(store_, 1, [&](const InspectedFrame& frame) -> Result<void> {
    ++(frame.damage.empty() ? whole : damaged);
    return {};
  }));
  EXPECT_EQ(whole, 4U);
  EXPECT_EQ(damaged, 1U);
}

TEST_F(Inspect, ShowsASegmentWithoutAHeader) {
  {
    std::fstream file(store_ + "/log/" + segment_name(3),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.put('?');
  }
  const auto segments = inspect(store_).value();
  EXPECT_NE(segments[2].damage, "");
  EXPECT_EQ(segments[0].events, 4U);
}

TEST_F(Inspect, TheCallbacksErrorEndsIt) {
  int frames = 0;
  auto ended = inspect_frames(store_, 1, [&](const InspectedFrame&) -> Result<void> {
    ++frames;
    return std::unexpected(Error{.code = ErrorCode::kCancelled});
  });
  EXPECT_EQ(ended.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(frames, 1);
}

}  // namespace
}  // namespace esdb::storage
