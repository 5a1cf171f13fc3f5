// Every frame of one segment in order, checked and whole: what a scan of the log, an index that is
// built anew and a footer that is built anew go by.
//
// Threads: one.
// Errors:  those of SegmentReader; the callback's own end the scan.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "esdb/error.h"
#include "storage/format.h"
#include "storage/log.h"
#include "storage/segment_reader.h"

namespace esdb::storage {

// `bytes`: all of the frame, its gap included; valid during the call.
using EachFrame = std::function<Result<void>(const ScannedFrame& frame, const FrameHeader& header,
                                             std::span<const std::byte> bytes)>;

// From the segment's frame with this index on, up to what the reader may see.
Result<void> scan_segment(SegmentReader& reader, std::size_t from, const EachFrame& each);

// Where a record that a scan gave begins in its segment.
inline std::uint64_t offset_of(const ScannedRecord& record, const FrameHeader& header,
                               std::span<const std::byte> bytes) {
  const auto payload_at = static_cast<std::uint64_t>(record.payload.data() - bytes.data());
  return header.offset + payload_at - sizeof(RecordHeader);
}

}  // namespace esdb::storage
