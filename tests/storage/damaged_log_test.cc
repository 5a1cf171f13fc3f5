#include "storage/damaged_log.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "storage/posix_io.h"
#include "tests/storage/store_to_damage.h"

namespace esdb::storage {
namespace {

using Kind = DamagedFile::Kind;

class LookAtDamaged : public ::testing::Test {
 protected:
  DamagedLog look() {
    auto found = look_at_damaged(io_, store_.path);
    EXPECT_TRUE(found.has_value()) << found.error().message;
    return found ? std::move(*found) : DamagedLog{};
  }

  StoreToDamage store_{};
  PosixIo io_{};
};

TEST_F(LookAtDamaged, TellsSealedAndUnsealedSegmentsWithTheirFrames) {
  const auto log = look();
  const auto open = store_.open_segment();
  for (std::uint32_t number = 1; number < open; ++number)
    EXPECT_EQ(log.files[number - 1].kind, Kind::kSealed);
  const auto& last = log.files[open - 1];
  EXPECT_EQ(last.kind, Kind::kUnsealed);
  EXPECT_EQ(last.frames.size(), store_.frames(open).size());
  EXPECT_EQ(last.begins_behind()->last,
            log.files[open - 2].tail.first_position + log.files[open - 2].tail.event_count - 1);
  EXPECT_EQ(last.claimed, last.frames.back().header.frame_number) << "the witness of the close";
  EXPECT_EQ(last.written_to, last.frames.back().end());
}

TEST_F(LookAtDamaged, NamesWhatIsMissingForeignAndNothing) {
  const StoreToDamage other;
  std::filesystem::remove(store_.file(1));
  std::filesystem::copy_file(other.file(2), store_.file(2),
                             std::filesystem::copy_options::overwrite_existing);
  store_.zero(3, 0, kSegmentBytesMin);
  const auto log = look();
  EXPECT_EQ(log.files[0].kind, Kind::kMissing);
  EXPECT_EQ(log.files[0].path, store_.file(1));
  EXPECT_EQ(log.files[1].kind, Kind::kForeign);
  EXPECT_EQ(log.files[2].kind, Kind::kNothing);
  EXPECT_FALSE(log.files[2].holds_data());
}

TEST_F(LookAtDamaged, IsNotMisledByAForeignFileThatComesFirst) {
  const StoreToDamage other;
  const auto store_id = look().store_id;
  std::filesystem::copy_file(other.file(1), store_.file(1),
                             std::filesystem::copy_options::overwrite_existing);
  const auto log = look();
  EXPECT_EQ(log.store_id, store_id);
  EXPECT_EQ(log.files[0].kind, Kind::kForeign);
  EXPECT_EQ(log.files[1].kind, Kind::kSealed);
}

TEST_F(LookAtDamaged, DoesNotChooseBetweenTwoStoresOfAsManySegments) {
  const StoreToDamage other;
  for (auto number = store_.open_segment() + 1; std::filesystem::exists(store_.file(number));
       ++number)
    std::filesystem::remove(store_.file(number));
  for (auto number = store_.open_segment(); number > 2; --number)
    std::filesystem::remove(store_.file(number));
  std::filesystem::copy_file(other.file(2), store_.file(2),
                             std::filesystem::copy_options::overwrite_existing);
  const auto found = look_at_damaged(io_, store_.path);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ErrorCode::kRefused);
  EXPECT_NE(found.error().message.find("belong to several stores"), std::string::npos)
      << found.error().message;
}

TEST_F(LookAtDamaged, MakesOutAHeaderThatIsDamaged) {
  const auto open = store_.open_segment();
  const auto sound = look().files[open - 1];
  store_.flip(open, 33);
  const auto log = look();
  const auto& file = log.files[open - 1];
  EXPECT_FALSE(file.has_sound_header);
  EXPECT_EQ(file.header.checksum, sound.header.checksum);
  EXPECT_EQ(file.frames.size(), sound.frames.size());
}

TEST_F(LookAtDamaged, FindsTheFramesOnBothSidesOfADamagedOne) {
  const auto open = store_.open_segment();
  const auto frames = store_.frames(open);
  store_.flip(open, frames[2].offset + 200);
  const auto log = look();
  EXPECT_EQ(log.files[open - 1].frames.size(), frames.size() - 1);
  const auto streams = streams_behind(io_, log.files[open - 1], frames[3].offset, 3);
  EXPECT_EQ(*streams, (std::vector<std::string>{"s-1", "s-2", "s-3"}));
  store_.flip(open, frames[0].offset + 200);
  EXPECT_FALSE(look().files[open - 1].begins_behind().has_value());
}

TEST_F(LookAtDamaged, IgnoresAFileWithAnAbsurdNumber) {
  std::filesystem::copy_file(store_.file(1), store_.path + "/log/fffffff0.seg");
  const auto log = look();
  EXPECT_LT(log.files.size(), 100U);
  EXPECT_EQ(log.others.back(), "fffffff0.seg");
}

}  // namespace
}  // namespace esdb::storage
