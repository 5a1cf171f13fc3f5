#include "storage/verify.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "storage/inspect.h"
#include "storage/posix_io.h"
#include "storage/segment_file.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

// A store in files, some segments of it sealed.
class Verify : public ::testing::Test {
 protected:
  Verify() : store_(directory_.path() + "/store"), driver_(io_, log_options(store_)) {}

  void start(int appends) {
    ASSERT_EQ(driver_.open(), "");
    for (int i = 0; i < appends; ++i) {
      ASSERT_EQ(driver_.place({{.stream = "s", .data = std::string(30'000, 'x')},
                               {.stream = "t", .data = std::to_string(i)}}),
                "");
      if (i % 8 == 7) {
        ASSERT_EQ(driver_.finish(), "");
      }
    }
    ASSERT_EQ(driver_.place({}, {{"source", 5}}), "");
    ASSERT_EQ(driver_.finish(), "");
  }
  std::string path(std::uint32_t number) const { return store_ + "/log/" + segment_name(number); }
  void flip(std::uint32_t number, std::uint64_t offset) {
    std::fstream file(path(number), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }
  VerifyReport report() {
    auto result = verify(store_);
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return result ? *result : VerifyReport{};
  }

  fixtures::ScratchDirectory directory_;
  const std::string store_;
  PosixIo io_;
  LogDriver driver_;
};

TEST_F(Verify, ASoundStoreIsCountedWhole) {
  start(80);
  driver_.run_background();
  const auto frames = driver_.log().durable_frame();
  const auto segments = driver_.log().segments();
  driver_.close();
  const auto found = report();
  EXPECT_TRUE(found.is_sound());
  EXPECT_TRUE(found.damages.empty()) << found.damages.front().what;
  EXPECT_EQ(found.events, 160U);
  EXPECT_EQ(found.tracking, 1U);
  EXPECT_EQ(found.commits, 81U);
  EXPECT_EQ(found.frames, frames);
  EXPECT_EQ(found.epochs, 1U);
  EXPECT_EQ(found.last, Position{160});
  EXPECT_EQ(found.durable_claimed, frames);
  EXPECT_TRUE(found.closed_cleanly);
  EXPECT_GE(found.segments, segments);
  EXPECT_EQ(found.sealed, segments - 1);
}

TEST_F(Verify, DamageInASealedSegmentNamesItsPositions) {
  start(80);
  driver_.run_background();
  driver_.close();
  flip(1, 300'000);
  const auto found = report();
  EXPECT_FALSE(found.is_sound());
  ASSERT_FALSE(found.damages.empty());
  const auto& damage = found.damages.front();
  EXPECT_EQ(damage.segment, 1U);
  EXPECT_LE(damage.offset, 300'000U);
  EXPECT_GT(damage.offset + 40'000, 300'000U);
  EXPECT_EQ(damage.last.value, damage.first.value + 1);
  EXPECT_EQ(found.events, 158U);

  // The log itself serves what is around it.
  ASSERT_EQ(driver_.open(), "");
  BatchMemory batch;
  const auto& log = driver_.log();
  EXPECT_EQ(log.read_forwards(0, 160, {.bytes = 8 << 20}, batch).value(),
            Position{damage.first.value - 1});
  auto there = log.read_forwards(damage.first.value - 1, 160, {.bytes = 8 << 20}, batch);
  ASSERT_FALSE(there.has_value());
  EXPECT_EQ(there.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(there.error().message.find(segment_name(1)), std::string::npos);
  EXPECT_EQ(log.read_forwards(damage.last, damage.last.value + 1, {.bytes = 1}, batch).value(),
            Position{damage.last.value + 1});
}

TEST_F(Verify, DamageInAFooterIsFound) {
  start(80);
  driver_.run_background();
  driver_.close();
  const auto segments = inspect(store_).value();
  ASSERT_TRUE(segments.front().is_sealed);
  flip(1, segments.front().ids_at + 100);
  const auto found = report();
  ASSERT_EQ(found.damages.size(), 1U);
  EXPECT_NE(found.damages.front().what.find("footer"), std::string::npos);
}

TEST_F(Verify, ATornTailThatNobodyWasToldOfIsNoLoss) {
  start(5);
  driver_.drop();
  const auto segments = inspect(store_).value();
  flip(1, segments.front().frames_end - 4096 + 130);
  const auto found = report();
  EXPECT_TRUE(found.is_sound());
  ASSERT_EQ(found.damages.size(), 1U);
  EXPECT_FALSE(found.damages.front().is_acknowledged);
}

TEST_F(Verify, ATornTailBelowAWitnessIsALoss) {
  start(5);
  driver_.close();
  const auto segments = inspect(store_).value();
  flip(1, segments.front().frames_end - 4096 + 130);
  EXPECT_FALSE(report().is_sound());
}

TEST_F(Verify, AMissingSegmentIsFound) {
  start(120);
  driver_.run_background();
  driver_.close();
  ASSERT_TRUE(io_.remove(path(2)));
  const auto found = report();
  EXPECT_FALSE(found.is_sound());
  EXPECT_NE(found.damages.front().what.find("missing"), std::string::npos);
}

TEST_F(Verify, AStoreThatIsOpenIsCheckedUpToWhatIsDurable) {
  start(80);
  const auto frames = driver_.log().durable_frame();
  driver_.run_background();
  const auto found = report();
  EXPECT_TRUE(found.is_live);
  EXPECT_TRUE(found.damages.empty()) << found.damages.front().what;
  EXPECT_EQ(found.durable_claimed, frames);
  EXPECT_EQ(found.last, Position{160});
  driver_.close();
  EXPECT_FALSE(report().is_live);
}

TEST_F(Verify, AFirstSegmentWithoutAHeaderIsALossWhereThereIsAnIndex) {
  ASSERT_TRUE(io_.make_directory(store_ + "/log"));
  auto file = io_.open(path(1), OpenMode::kCreate).value();
  ASSERT_TRUE(file->allocate_zeroed(1 << 20));
  EXPECT_TRUE(report().is_sound());
  ASSERT_TRUE(io_.make_directory(store_ + "/index"));
  EXPECT_FALSE(report().is_sound());
  EXPECT_NE(driver_.open(), "");
}

TEST_F(Verify, NoStoreIsSaidSo) {
  EXPECT_EQ(verify(directory_.path() + "/nothing").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Verify, FramesAndRecordsAreShown) {
  start(3);
  driver_.close();
  std::size_t events = 0, tracking = 0, epochs = 0;
  auto shown = inspect_frames(store_, 1, [&](const InspectedFrame& frame) -> Result<void> {
    EXPECT_EQ(frame.damage, "");
    epochs += frame.is_epoch ? 1 : 0;
    for (const auto& record : frame.records) {
      if (record.is_tracking) {
        ++tracking;
        EXPECT_EQ(record.source, "source");
        EXPECT_EQ(record.tracked, 5U);
      } else {
        EXPECT_EQ(record.position, Position{++events});
        EXPECT_EQ(protocol::data_of(record.payload), driver_.written()[events - 1].data);
      }
    }
    return {};
  });
  EXPECT_TRUE(shown.has_value());
  EXPECT_EQ(events, 6U);
  EXPECT_EQ(tracking, 1U);
  EXPECT_EQ(epochs, 1U);
  EXPECT_FALSE(inspect_frames(store_, 9, [](const InspectedFrame&) -> Result<void> {
                 return {};
               }).has_value());
}

}  // namespace
}  // namespace esdb::storage
