#include "storage/format.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <iomanip>
#include <sstream>
#include <string>
#include <string_view>

namespace esdb::storage {
namespace {

// A change of this text is a change of the format: it needs a new kFormatVersion, a new set of
// golden files beside the old ones, and docs/format.md.
constexpr const char* kLayout = R"(format 1
SegmentHeader 64
  magic 0, format 8, number 12, store_id 16
  seed 32, segment_bytes 40, block_bytes 48, unit_bytes 52
  checksum 56
Witness 40
  magic 0, clean 4, durable_frame 8, sequence 16
  segment 24, zero 28, checksum 32
FrameHeader 128
  magic 0, format 4, kind 6, zero 7
  segment 8, offset 12, length 16, record_count 20
  event_count 24, zero2 28, frame_number 32, first_position 40
  epoch_id 48, commit_time 64, durable_frame 72, chain 80
  records_checksum 112, checksum 120
RecordHeader 32
  length 0, marks 4, version 8, previous 16
  checksum 24
FooterId 24
  id 0, fingerprint 16
FooterFrame 24
  first_position 0, commit_time 8, offset 16, zero 20
FooterTail 128
  magic 0, format 8, segment 12, first_position 16
  first_frame 24, event_count 32, frame_count 36, frames_end 40
  unit_bytes 44, first_commit_time 48, last_commit_time 56, first_epoch_id 64
  last_epoch_id 80, offsets_at 96, ids_at 104, frames_at 112
  checksum 120
magics 0a1a676573626473 5749544e 4652414d 0a1a746f6f666473
kinds commits 1 epoch 2 event 1 tracking 2
marks ends_commit 16 ordinal << 8; offset ends_commit 2147483648
footer block 4096: 1022 offsets, 170 ids, 170 frames
)";

// One struct: its size, and its fields with their offsets, four a line.
class Fields {
 public:
  Fields(std::string_view name, std::size_t size) {
    text_ = std::string(name) + " " + std::to_string(size);
  }
  Fields& add(std::string_view name, std::size_t offset) {
    text_ += count_++ % 4 == 0 ? "\n  " : ", ";
    text_ += std::string(name) + " " + std::to_string(offset);
    return *this;
  }
  friend std::ostream& operator<<(std::ostream& out, const Fields& fields) {
    return out << fields.text_ << "\n";
  }

 private:
  std::string text_{};
  std::size_t count_ = 0;
};

#define STRUCT(type) Fields(#type, sizeof(type))
#define FIELD(type, field) .add(#field, offsetof(type, field))

TEST(Format, TheLayoutIsWhatItWas) {
  std::ostringstream out;
  out << "format " << kFormatVersion << "\n";
  out << STRUCT(SegmentHeader) FIELD(SegmentHeader, magic) FIELD(SegmentHeader, format)
          FIELD(SegmentHeader, number) FIELD(SegmentHeader, store_id) FIELD(SegmentHeader, seed)
              FIELD(SegmentHeader, segment_bytes) FIELD(SegmentHeader, block_bytes)
                  FIELD(SegmentHeader, unit_bytes) FIELD(SegmentHeader, checksum);
  out << STRUCT(Witness) FIELD(Witness, magic) FIELD(Witness, clean) FIELD(Witness, durable_frame)
          FIELD(Witness, sequence) FIELD(Witness, segment) FIELD(Witness, zero)
              FIELD(Witness, checksum);
  out << STRUCT(FrameHeader) FIELD(FrameHeader, magic) FIELD(FrameHeader, format)
          FIELD(FrameHeader, kind) FIELD(FrameHeader, zero) FIELD(FrameHeader, segment)
              FIELD(FrameHeader, offset) FIELD(FrameHeader, length) FIELD(FrameHeader, record_count)
                  FIELD(FrameHeader, event_count) FIELD(FrameHeader, zero2)
                      FIELD(FrameHeader, frame_number) FIELD(FrameHeader, first_position)
                          FIELD(FrameHeader, epoch_id) FIELD(FrameHeader, commit_time)
                              FIELD(FrameHeader, durable_frame) FIELD(FrameHeader, chain)
                                  FIELD(FrameHeader, records_checksum) FIELD(FrameHeader, checksum);
  out << STRUCT(RecordHeader) FIELD(RecordHeader, length) FIELD(RecordHeader, marks)
          FIELD(RecordHeader, version) FIELD(RecordHeader, previous) FIELD(RecordHeader, checksum);
  out << STRUCT(FooterId) FIELD(FooterId, id) FIELD(FooterId, fingerprint);
  out << STRUCT(FooterFrame) FIELD(FooterFrame, first_position) FIELD(FooterFrame, commit_time)
          FIELD(FooterFrame, offset) FIELD(FooterFrame, zero);
  out << STRUCT(FooterTail) FIELD(FooterTail, magic) FIELD(FooterTail, format)
          FIELD(FooterTail, segment) FIELD(FooterTail, first_position)
              FIELD(FooterTail, first_frame) FIELD(FooterTail, event_count)
                  FIELD(FooterTail, frame_count) FIELD(FooterTail, frames_end)
                      FIELD(FooterTail, unit_bytes) FIELD(FooterTail, first_commit_time)
                          FIELD(FooterTail, last_commit_time) FIELD(FooterTail, first_epoch_id)
                              FIELD(FooterTail, last_epoch_id) FIELD(FooterTail, offsets_at)
                                  FIELD(FooterTail, ids_at) FIELD(FooterTail, frames_at)
                                      FIELD(FooterTail, checksum);
  out << "magics " << std::hex << std::setfill('0') << std::setw(16) << kSegmentMagic << " "
      << kWitnessMagic << " " << kFrameMagic << " " << std::setw(16) << kFooterMagic << std::dec
      << "\n";
  out << "kinds commits " << static_cast<int>(FrameKind::kCommits) << " epoch "
      << static_cast<int>(FrameKind::kEpoch) << " event " << static_cast<int>(RecordKind::kEvent)
      << " tracking " << static_cast<int>(RecordKind::kTracking) << "\n";
  out << "marks ends_commit " << kMarkEndsCommit << " ordinal << 8; offset ends_commit "
      << kOffsetEndsCommit << "\n";
  out << "footer block " << kFooterBlockBytes << ": " << kOffsetsPerBlock << " offsets, "
      << kIdsPerBlock << " ids, " << kFramesPerBlock << " frames\n";
  EXPECT_EQ(out.str(), kLayout);
}

TEST(Format, ChecksumsAreWhatTheyWere) {
  SegmentHeader header{.number = 7, .seed = 11, .segment_bytes = 1 << 20, .block_bytes = 4096};
  RecordHeader record{.length = 3, .marks = 17, .version = 5, .previous = 2};
  FooterTail tail{.segment = 7};
  const std::array<std::byte, kFooterPayloadBytes> block{};
  std::ostringstream out;
  out << std::hex << checksum_of(header) << " " << checksum_of(Witness{.sequence = 1}, 11) << " "
      << checksum_of(FrameHeader{.segment = 7}, 11) << " " << checksum_of(tail, 11) << " "
      << checksum_of(record, 99, 12, 11) << " " << next_records_checksum(11, record) << " "
      << checksum_of_footer_block(block, {7, 8192}, 11) << " "
      << checksum_of_epoch_content(std::span(block).first(16), 11);
  EXPECT_EQ(out.str(),
            "3312466f4e21f794 d5e69e05c10d2a08 9ff3fa024f7d20b4 2a74192b564efc18 5b5ed93f1550f786 "
            "332d9682ab468538 60040d0be39a8b64 b116ff840f33a089");
}

TEST(Format, EveryFieldOfARecordIsCovered) {
  const RecordHeader record{.length = 3, .marks = 17, .version = 5, .previous = 2};
  const auto whole = checksum_of(record, 99, 12, 11);
  auto changed = record;
  changed.length ^= 1;
  EXPECT_NE(checksum_of(changed, 99, 12, 11), whole);
  changed = record;
  changed.marks ^= 1 << 8;
  EXPECT_NE(checksum_of(changed, 99, 12, 11), whole);
  changed = record;
  changed.version ^= 1;
  EXPECT_NE(checksum_of(changed, 99, 12, 11), whole);
  changed = record;
  changed.previous ^= 1;
  EXPECT_NE(checksum_of(changed, 99, 12, 11), whole);
  EXPECT_NE(checksum_of(record, 98, 12, 11), whole);
  EXPECT_NE(checksum_of(record, 99, 13, 11), whole);
  EXPECT_NE(checksum_of(record, 99, 12, 10), whole);
}

TEST(Format, AFooterEndsWithItsTailAndBeginsOnABlock) {
  for (const std::size_t block : {512U, 4096U, 16384U})
    for (const std::size_t events : {0U, 1U, 1022U, 1023U, 9000U}) {
      const auto plan = footer_plan(1 << 20, block, {.events = events, .frames = events / 3});
      EXPECT_EQ(plan.begins % block, 0U);
      EXPECT_EQ(plan.tail_at, (1 << 20) - kFooterBlockBytes);
      EXPECT_EQ(plan.tail_block_at % block, 0U);
      EXPECT_LE(
          plan.frames_at + (events / 3 + kFramesPerBlock - 1) / kFramesPerBlock * kFooterBlockBytes,
          plan.tail_block_at);
    }
  EXPECT_EQ(footer_plan(1 << 20, 4096, {.events = 10'000'000, .frames = 1}).begins, 0U);
}

}  // namespace
}  // namespace esdb::storage
