// Reading frames from bytes that may be damaged, torn or foreign: what recovery, scans and the
// offline checks go by.
//
// Threads: functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/format.h"
#include "storage/log.h"

namespace esdb::storage {

// Where a frame lies and what its segment's header says.
struct FramePlace {
  std::uint32_t segment{};
  std::uint64_t offset{};
  std::uint64_t seed{};
  std::uint32_t unit_bytes{};
};

// What the frame at the log's next place must say.
struct FrameExpected {
  std::uint64_t frame_number{};
  Position first_position{};
  Uuid epoch_id{};  // of the predecessor
  std::int64_t commit_time_min{};
};

// The header at the beginning of `bytes`, when it was written for this place by this store. It may
// be of a later format version.
std::optional<FrameHeader> frame_header_at(std::span<const std::byte> bytes,
                                           const FramePlace& place);

// "" when the frame follows what is expected, else what does not.
std::string check_follows(const FrameHeader& header, const FrameExpected& expected,
                          const Uuid& parent_epoch_id);

// Units of the frame, its gap included.
std::size_t frame_bytes(const FrameHeader& header, std::uint32_t unit_bytes);

// Checks everything behind the header and gives the records, which view `bytes`: the whole frame,
// gap included. "" when it is sound, else what is not.
std::string check_content(const FrameHeader& header, std::span<const std::byte> bytes,
                          const FramePlace& place, std::vector<ScannedRecord>& records);

// Of an epoch frame.
Uuid parent_epoch_of(std::span<const std::byte> frame);
FrameMark mark_of(const FrameHeader& header);

// The record at the beginning of `bytes`, its payload included, when it has the position's
// checksum. `damage` is why there is none.
std::optional<ScannedRecord> record_at(std::span<const std::byte> bytes, Position position,
                                       std::uint64_t seed, std::string_view& damage);
// The same without checking it: of memory that is trusted.
ScannedRecord trusted_record_at(std::span<const std::byte> bytes, Position position);

bool all_zero(std::span<const std::byte> bytes);

}  // namespace esdb::storage
