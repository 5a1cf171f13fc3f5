#include "storage/frame_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

// One frame of two events and tracking, as the engine lays it out.
class FrameCheck : public ::testing::Test {
 protected:
  FrameCheck() {
    LogDriver driver(io_, log_options("store"));
    EXPECT_EQ(driver.open(), "");
    EXPECT_EQ(driver.place({{.stream = "a", .data = "1"}, {.stream = "b", .data = "22"}},
                           {{"source", 3}}),
              "");
    EXPECT_EQ(driver.finish(), "");
    auto file = io_.open("store/log/" + segment_name(1), OpenMode::kRead).value();
    const auto header = read_segment_header(*file).value().value();
    // Behind the epoch frame, which takes one unit.
    place_ = {1, first_frame_at(header.block_bytes) + header.unit_bytes, header.seed,
              header.unit_bytes};
    bytes_.resize(8192);
    EXPECT_EQ(file->read(place_.offset, bytes_).value(), bytes_.size());
    const auto found = frame_header_at(bytes_, place_);
    EXPECT_TRUE(found.has_value());
    header_ = found.value_or(FrameHeader{});
    bytes_.resize(frame_bytes(header_, place_.unit_bytes));
  }
  std::string check() { return check_content(header_, bytes_, place_, records_); }
  // With a header that is sound but for this.
  template <class Change>
  std::string check_with(Change change) {
    const auto right = header_;
    change(header_);
    bytes_.resize(frame_bytes(header_, place_.unit_bytes));
    auto why = check();
    header_ = right;
    bytes_.resize(frame_bytes(header_, place_.unit_bytes));
    return why;
  }
  // Ends the frame so many bytes behind its header.
  void cut_content(std::size_t bytes) {
    header_.length = static_cast<std::uint32_t>(sizeof(FrameHeader) + bytes);
    std::fill(bytes_.begin() + header_.length, bytes_.end(), std::byte{0});
    bytes_.resize(frame_bytes(header_, place_.unit_bytes));
  }

  MemoryIo io_;
  FramePlace place_{};
  FrameHeader header_{};
  std::vector<std::byte> bytes_{};
  std::vector<ScannedRecord> records_{};
};

TEST_F(FrameCheck, AWholeFrameGivesItsRecords) {
  EXPECT_EQ(check(), "");
  ASSERT_EQ(records_.size(), 3U);
  EXPECT_EQ(records_[0].kind, RecordKind::kTracking);
  EXPECT_EQ(records_[1].position, Position{1});
  EXPECT_EQ(records_[2].position, Position{2});
  EXPECT_TRUE(records_[2].ends_commit);
}

TEST_F(FrameCheck, NoByteOfItCanChangeUnseen) {
  for (std::size_t at = 0; at < bytes_.size(); ++at) {
    bytes_[at] ^= std::byte{4};
    const auto header = frame_header_at(bytes_, place_);
    EXPECT_TRUE(!header || !check_content(*header, bytes_, place_, records_).empty())
        << "byte " << at;
    bytes_[at] ^= std::byte{4};
  }
}

// Checksums that were made right again hide none of it.
TEST_F(FrameCheck, AHeaderThatContradictsTheRecordsIsToldSo) {
  EXPECT_EQ(check_with([](FrameHeader& header) { header.kind = FrameKind{3}; }),
            "its kind is unknown");
  EXPECT_EQ(check_with([](FrameHeader& header) { ++header.record_count; }),
            "record 3 is cut short");
  EXPECT_EQ(check_with([](FrameHeader& header) { --header.record_count; }),
            "bytes lie behind its last record");
  EXPECT_EQ(check_with([](FrameHeader& header) { ++header.event_count; }),
            "its events are not those its header counts");
  EXPECT_EQ(check_with([](FrameHeader& header) { header.records_checksum ^= 1; }),
            "its record headers fail their checksum");
  EXPECT_EQ(check(), "");
}

TEST_F(FrameCheck, ACommitThatDoesNotEndInItIsToldSo) {
  ASSERT_EQ(check(), "");
  header_.record_count = 1;
  header_.event_count = 0;
  cut_content(record_bytes(records_[0].payload.size()));
  EXPECT_EQ(check(), "its last commit does not end");
  header_.record_count = 0;
  cut_content(0);
  EXPECT_EQ(check(), "its last commit does not end");
}

TEST_F(FrameCheck, AnEpochFrameHoldsItsParentAndNothingElse) {
  cut_content(0);
  Uuid parent{};
  parent.fill(std::byte{9});
  header_.kind = FrameKind::kEpoch;
  header_.record_count = header_.event_count = 0;
  header_.length += sizeof(parent);
  header_.records_checksum = checksum_of_epoch_content(parent, place_.seed);
  std::memcpy(bytes_.data() + sizeof(FrameHeader), parent.data(), sizeof(parent));
  EXPECT_EQ(check(), "");
  EXPECT_EQ(parent_epoch_of(bytes_), parent);
  constexpr auto kForm = "its epoch frame has another form";
  EXPECT_EQ(check_with([](FrameHeader& header) { header.record_count = 1; }), kForm);
  EXPECT_EQ(check_with([](FrameHeader& header) { header.event_count = 1; }), kForm);
  EXPECT_EQ(check_with([](FrameHeader& header) { header.length += 8; }), kForm);
  EXPECT_EQ(check_with([](FrameHeader& header) { header.records_checksum ^= 1; }),
            "its content fails its checksum");
}

TEST_F(FrameCheck, AnotherPlaceOrStoreIsNotItsOwn) {
  auto other = place_;
  other.offset += other.unit_bytes;
  EXPECT_FALSE(frame_header_at(bytes_, other));
  other = place_;
  other.segment = 2;
  EXPECT_FALSE(frame_header_at(bytes_, other));
  other = place_;
  other.seed ^= 1;
  EXPECT_FALSE(frame_header_at(bytes_, other));
  EXPECT_FALSE(frame_header_at(std::span(bytes_).first(100), place_));
}

TEST_F(FrameCheck, AFrameFollowsOnlyWhatItWasWrittenBehind) {
  const FrameExpected right{.frame_number = 2,
                            .first_position = 1,
                            .epoch_id = header_.epoch_id,
                            .commit_time_min = header_.commit_time};
  EXPECT_EQ(check_follows(header_, right, {}), "");
  auto wrong = right;
  wrong.frame_number = 3;
  EXPECT_NE(check_follows(header_, wrong, {}), "");
  wrong = right;
  wrong.first_position = 2;
  EXPECT_NE(check_follows(header_, wrong, {}), "");
  wrong = right;
  wrong.epoch_id[0] ^= std::byte{1};
  EXPECT_NE(check_follows(header_, wrong, {}), "");
  wrong = right;
  ++wrong.commit_time_min;
  EXPECT_NE(check_follows(header_, wrong, {}), "");
  auto claims_itself = header_;
  claims_itself.durable_frame = claims_itself.frame_number;
  EXPECT_NE(check_follows(claims_itself, right, {}), "");
}

TEST_F(FrameCheck, AnEpochFrameFollowsTheEpochItNames) {
  auto epoch = header_;
  epoch.kind = FrameKind::kEpoch;
  Uuid parent{};
  parent.fill(std::byte{9});
  const FrameExpected expected{.frame_number = 2, .first_position = 1, .epoch_id = parent};
  EXPECT_EQ(check_follows(epoch, expected, parent), "");
  EXPECT_NE(check_follows(epoch, expected, Uuid{}), "");
}

TEST_F(FrameCheck, ARecordIsTrustedAtItsPositionOnly) {
  ASSERT_EQ(check(), "");
  const auto at =
      static_cast<std::size_t>(records_[1].payload.data() - bytes_.data()) - sizeof(RecordHeader);
  const auto record = std::span<const std::byte>(bytes_).subspan(at);
  std::string_view damage;
  EXPECT_TRUE(record_at(record, 1, place_.seed, damage));
  EXPECT_FALSE(record_at(record, 2, place_.seed, damage));
  EXPECT_FALSE(record_at(record.first(40), 1, place_.seed, damage));
  EXPECT_EQ(damage, "is longer than what holds it");
  EXPECT_FALSE(record_at(record.first(sizeof(RecordHeader) - 1), 1, place_.seed, damage));
  EXPECT_EQ(damage, "is cut short");
}

TEST_F(FrameCheck, AHeaderThatIsLongerThanItsFrameIsNone) {
  header_.length = sizeof(FrameHeader) - 8;
  header_.checksum = checksum_of(header_, place_.seed);
  std::memcpy(bytes_.data(), &header_, sizeof(header_));
  EXPECT_FALSE(frame_header_at(bytes_, place_));
}

TEST_F(FrameCheck, ARecordWithMarksOfALaterFormatIsNotRead) {
  auto record = std::span(bytes_).subspan(sizeof(FrameHeader));
  RecordHeader header;
  std::memcpy(&header, record.data(), sizeof(header));
  header.marks |= 1U << 5;
  std::memcpy(record.data(), &header, sizeof(header));
  std::string_view damage;
  EXPECT_FALSE(record_at(record, 0, place_.seed, damage));
  EXPECT_EQ(damage, "has unknown marks");
}

TEST(AllZero, FindsTheOneByteThatIsNot) {
  std::vector<std::byte> bytes(1000);
  EXPECT_TRUE(all_zero(bytes));
  EXPECT_TRUE(all_zero({}));
  for (const std::size_t at : {0U, 63U, 64U, 959U, 960U, 999U}) {
    bytes[at] = std::byte{1};
    EXPECT_FALSE(all_zero(bytes)) << at;
    bytes[at] = std::byte{0};
  }
}

}  // namespace
}  // namespace esdb::storage
