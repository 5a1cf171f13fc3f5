// The bytes of the log: segment header, witness, frame, record, footer. docs/format.md draws them
// with a worked example; nothing outside format.{h,cc} knows an offset or a size of theirs.
//
//   segment   header | witness | witness | frame | frame | ... zeros ... | footer tables | tail
//             block    block     block     units   units                   4 KiB blocks    4 KiB
//   frame     header | record | record | ... | zeros to the next write unit
//   record    header | payload | zeros to 8 bytes
//
// All numbers are little-endian. Every checksum is XXH3-64 seeded with the store's random secret,
// so that neither payload nor another store's sectors can pass for ours.
//
// Threads: plain data and functions; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "esdb/numbers.h"

namespace esdb::storage {

static_assert(std::endian::native == std::endian::little, "the structs below are the disk's bytes");

using Uuid = std::array<std::byte, 16>;

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint64_t kSegmentMagic = 0x0a1a'6765'7362'6473;
inline constexpr std::uint32_t kWitnessMagic = 0x5749'544e;
inline constexpr std::uint32_t kFrameMagic = 0x4652'414d;
inline constexpr std::uint64_t kFooterMagic = 0x0a1a'746f'6f66'6473;

inline constexpr std::size_t kFrameBytesMax = std::size_t{1} << 20;  // or one append
// The smallest segment that has room for its blocks and some frames. OpenOptions allows none below
// kSegmentBytesMin; a simulator that makes millions of them does.
inline constexpr std::size_t kSegmentBytesFloor = std::size_t{32} << 10;
inline constexpr std::size_t kFooterBlockBytes = 4096;

struct SegmentHeader {
  std::uint64_t magic = kSegmentMagic;
  std::uint32_t format = kFormatVersion;
  std::uint32_t number{};
  Uuid store_id{};
  std::uint64_t seed{};           // the store's secret
  std::uint64_t segment_bytes{};  // of the file
  std::uint32_t block_bytes{};    // header, witnesses, first frame and footer begin on one each
  std::uint32_t unit_bytes{};     // frames begin on one
  std::uint64_t checksum{};       // of the fields above; with the seed they name
};
static_assert(sizeof(SegmentHeader) == 64 &&
              std::has_unique_object_representations_v<SegmentHeader>);

// "Every frame up to `durable_frame` was durable when this was written." Two of them, in the blocks
// behind the header; the one not written last is written next.
struct Witness {
  std::uint32_t magic = kWitnessMagic;
  std::uint32_t clean{};  // 1: written by a close that left nothing behind
  std::uint64_t durable_frame{};
  std::uint64_t sequence{};  // the higher one is newer
  std::uint32_t segment{};
  std::uint32_t zero{};
  std::uint64_t checksum{};
};
static_assert(sizeof(Witness) == 40 && std::has_unique_object_representations_v<Witness>);

enum class FrameKind : std::uint8_t { kCommits = 1, kEpoch = 2 };

// An epoch frame's only content is the 16 bytes of the parent epoch's id behind its header (zeros
// for the first epoch of a store); it holds no records.
struct FrameHeader {
  std::uint32_t magic = kFrameMagic;
  std::uint16_t format = kFormatVersion;
  FrameKind kind{};
  std::uint8_t zero{};
  std::uint32_t segment{};
  std::uint32_t offset{};        // of this header in the segment
  std::uint32_t length{};        // header and content, without the gap to the next unit
  std::uint32_t record_count{};  // events and tracking
  std::uint32_t event_count{};
  std::uint32_t zero2{};
  std::uint64_t frame_number{};    // from 1, +1 for every frame of any kind, through all segments
  std::uint64_t first_position{};  // of its first event, or of the next one where it has none
  Uuid epoch_id{};
  std::int64_t commit_time{};         // nanoseconds since 1970 UTC, never below its predecessor's
  std::uint64_t durable_frame{};      // every frame up to it was durable when this was submitted
  std::array<std::byte, 32> chain{};  // kept for a hash chain
  std::uint64_t records_checksum{};   // over all record headers in order (epoch: of the content)
  std::uint64_t checksum{};           // of the fields above
};
static_assert(sizeof(FrameHeader) == 128 && std::has_unique_object_representations_v<FrameHeader>);

enum class RecordKind : std::uint8_t { kEvent = 1, kTracking = 2 };

// Marks, packed: bits 0-3 the kind, bit 4 "ends its commit", bits 5-7 zero, bits 8-31 the event's
// ordinal in its append.
inline constexpr std::uint32_t kMarkEndsCommit = 1U << 4;
inline constexpr std::uint32_t kOrdinalMax = (1U << 24) - 1;

// A tracking record's payload is the UInt64 position and the source's bytes; it takes no position
// in the log, and stands before the events of its commit. A commit without events ends with a
// tracking record.
struct RecordHeader {
  std::uint32_t length{};  // of the payload, without padding
  std::uint32_t marks{};
  std::uint64_t version{};   // event: its place in its stream
  std::uint64_t previous{};  // event: the position of its stream's previous event, or 0
  std::uint64_t checksum{};  // of the payload's XXH3-64, the fields above and the position
};
static_assert(sizeof(RecordHeader) == 32 && std::has_unique_object_representations_v<RecordHeader>);

constexpr RecordKind kind_of(std::uint32_t marks) { return static_cast<RecordKind>(marks & 0xf); }
constexpr bool ends_commit(std::uint32_t marks) { return (marks & kMarkEndsCommit) != 0; }
constexpr std::uint32_t ordinal_of(std::uint32_t marks) { return marks >> 8; }

// Footer of a sealed segment: at the end of the file. Tables in blocks of 4 KiB, each of 4088 bytes
// of entries and a checksum over them, the segment and the block's place in the file; then the tail
// in blocks of its own, written when the tables are durable.
//   event offsets   u32 each: bits 0-30 the record's offset / 8, bit 31 "ends its commit"
//   event ids       FooterId each
//   frames          FooterFrame each
//   tail            FooterTail, in the last 4 KiB of the file
inline constexpr std::uint32_t kOffsetEndsCommit = 1U << 31;
struct FooterId {
  std::array<std::byte, 16> id{};
  std::uint64_t fingerprint{};
};
static_assert(sizeof(FooterId) == 24 && std::has_unique_object_representations_v<FooterId>);
struct FooterFrame {
  std::uint64_t first_position{};
  std::int64_t commit_time{};
  std::uint32_t offset{};
  std::uint32_t zero{};
};
static_assert(sizeof(FooterFrame) == 24 && std::has_unique_object_representations_v<FooterFrame>);
struct FooterTail {
  std::uint64_t magic = kFooterMagic;
  std::uint32_t format = kFormatVersion;
  std::uint32_t segment{};
  std::uint64_t first_position{};  // of the first event, or of the next one where there is none
  std::uint64_t first_frame{};
  std::uint32_t event_count{};
  std::uint32_t frame_count{};
  std::uint32_t frames_end{};  // offset behind the last frame's last unit
  std::uint32_t unit_bytes{};  // as the segment's header says
  std::int64_t first_commit_time{};
  std::int64_t last_commit_time{};
  Uuid first_epoch_id{};  // of the first frame's predecessor: what its epoch must follow
  Uuid last_epoch_id{};
  std::uint64_t offsets_at{};  // file offsets of the tables
  std::uint64_t ids_at{};
  std::uint64_t frames_at{};
  std::uint64_t checksum{};  // of the fields above
};
static_assert(sizeof(FooterTail) == 128 && std::has_unique_object_representations_v<FooterTail>);

inline constexpr std::size_t kFooterPayloadBytes = kFooterBlockBytes - 8;
inline constexpr std::size_t kOffsetsPerBlock = kFooterPayloadBytes / sizeof(std::uint32_t);
inline constexpr std::size_t kIdsPerBlock = kFooterPayloadBytes / sizeof(FooterId);
inline constexpr std::size_t kFramesPerBlock = kFooterPayloadBytes / sizeof(FooterFrame);

// A footer's table of so many entries, in whole blocks.
constexpr std::size_t table_bytes(std::size_t entries, std::size_t entries_per_block) {
  return (entries + entries_per_block - 1) / entries_per_block * kFooterBlockBytes;
}

constexpr std::size_t padded(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// The first frame's offset: header and two witnesses have a physical block each.
constexpr std::size_t first_frame_at(std::size_t block_bytes) { return 3 * block_bytes; }
constexpr std::size_t witness_at(std::size_t block_bytes, unsigned which) {
  return (1 + which) * block_bytes;
}

// A record in the log: header, payload, padding.
constexpr std::size_t record_bytes(std::size_t payload_bytes) {
  return sizeof(RecordHeader) + padded(payload_bytes, 8);
}

// Where the tables of a segment's footer lie, from its end backwards. `begins` is what a frame must
// not reach.
struct FooterPlan {
  std::uint64_t begins{};
  std::uint64_t offsets_at{};
  std::uint64_t ids_at{};
  std::uint64_t frames_at{};
  std::uint64_t tail_block_at{};  // begins the block(s) that hold the tail
  std::uint64_t tail_at{};        // the last 4 KiB of the file
};
struct FooterCounts {
  std::size_t events{};
  std::size_t frames{};
};
FooterPlan footer_plan(std::uint64_t segment_bytes, std::size_t block_bytes, FooterCounts counts);

// XXH3-64 without a seed: of a record's payload, of frame content.
std::uint64_t hash_of_bytes(std::span<const std::byte> bytes);

std::uint64_t checksum_of(const SegmentHeader& header);
std::uint64_t checksum_of(const Witness& witness, std::uint64_t seed);
std::uint64_t checksum_of(const FrameHeader& header, std::uint64_t seed);
std::uint64_t checksum_of(const FooterTail& tail, std::uint64_t seed);
// payload_hash: XXH3-64, unseeded, of the payload (protocol::hash_of for an event).
// position: of the event; of tracking: the last position before it.
std::uint64_t checksum_of(const RecordHeader& header, std::uint64_t payload_hash, Position position,
                          std::uint64_t seed);
// FrameHeader::records_checksum, record by record: begins with the seed; each header is hashed with
// the result so far as its seed.
std::uint64_t next_records_checksum(std::uint64_t so_far, const RecordHeader& header);
std::uint64_t checksum_of_epoch_content(std::span<const std::byte> content, std::uint64_t seed);
struct FooterBlockPlace {
  std::uint32_t segment{};
  std::uint64_t offset{};  // in the file
};
std::uint64_t checksum_of_footer_block(std::span<const std::byte> payload, FooterBlockPlace place,
                                       std::uint64_t seed);

}  // namespace esdb::storage
