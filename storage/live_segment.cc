#include "storage/live_segment.h"

#include <algorithm>

#include "storage/check.h"

namespace esdb::storage {

Result<std::uint64_t> durable_in(Io& io, const OfflineLog& log) {
  std::uint64_t durable = 0;
  for (const auto& segment : log.segments) {
    if (segment.tail) {
      durable = std::max(durable, segment.tail->first_frame + segment.tail->frame_count - 1);
      continue;
    }
    if (!segment.header || segment.header->seed != log.seed) continue;
    const auto& header = *segment.header;
    auto read = SegmentBytes::read(io, segment, ReadFrom::kDevice);
    if (!read) return std::unexpected(read.error());
    const auto bytes = read->bytes();
    durable = std::max(durable, witnessed_in(bytes, header));
    const WalkRange range{first_frame_at(header.block_bytes), header.segment_bytes};
    auto walked = walk_frames(bytes, header, range, [&](const WalkedFrame& frame) {
      if (frame.header) durable = std::max(durable, frame.header->durable_frame);
      return Result<void>{};
    });
    if (!walked) return std::unexpected(walked.error());
  }
  return durable;
}

Result<SegmentBytes> settled_bytes(Io& io, const OfflineSegment& segment, std::uint64_t durable) {
  ESDB_CHECK(segment.header.has_value());
  const auto& header = *segment.header;
  auto read = SegmentBytes::read(io, segment, ReadFrom::kDevice);
  if (!read) return read;
  FooterCounts counts;
  std::uint64_t end = header.segment_bytes;
  const WalkRange range{first_frame_at(header.block_bytes), header.segment_bytes};
  auto walked = walk_frames(read->bytes(), header, range, [&](const WalkedFrame& frame) {
    if (!frame.header || frame.offset >= end) return Result<void>{};
    if (frame.header->frame_number > durable) {
      end = frame.offset;
      return Result<void>{};
    }
    if (!frame.damage.empty()) return Result<void>{};
    if (frame.header->frame_number == durable)
      end = frame.offset + frame_bytes(*frame.header, header.unit_bytes);
    ++counts.frames;
    counts.events += frame.header->event_count;
    return Result<void>{};
  });
  if (!walked) return std::unexpected(walked.error());
  // Nothing of it is durable: whatever lies there is under way.
  if (counts.frames == 0 && end == header.segment_bytes) end = range.begin;
  read->clear_from(
      std::min(end, footer_plan(header.segment_bytes, header.block_bytes, counts).begins));
  return read;
}

}  // namespace esdb::storage
