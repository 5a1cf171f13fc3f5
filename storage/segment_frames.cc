#include "storage/segment_frames.h"

#include <array>

#include "protocol/encoded_event.h"
#include "storage/frame_check.h"
#include "storage/segment_reader.h"
#include "storage/segment_scan.h"

namespace esdb::storage {

Result<FooterFrame> SegmentFrames::frame(SegmentReader& reader, std::size_t index) {
  if (frames_.empty()) {
    auto first = reader.first_frame_offset();
    if (!first) return std::unexpected(first.error());
    next_at_ = *first;
  }
  while (frames_.size() <= index) {
    std::array<std::byte, sizeof(FrameHeader)> bytes;
    const Positions rest{reader.first(), reader.last()};
    if (auto done = reader.read(next_at_, bytes, rest); !done) return std::unexpected(done.error());
    const FramePlace place{reader.number(), next_at_, reader.seed(), reader.unit_bytes()};
    const auto header = frame_header_at(bytes, place);
    if (!header || header->frame_number != reader.first_frame() + frames_.size())
      return reader.damaged(next_at_, rest, "its footer and the header of a frame are damaged");
    frames_.push_back({.first_position = header->first_position,
                       .commit_time = header->commit_time,
                       .offset = static_cast<std::uint32_t>(next_at_)});
    next_at_ += frame_bytes(*header, reader.unit_bytes());
  }
  return frames_[index];
}

Result<SegmentFrames::Event> SegmentFrames::event(SegmentReader& reader, std::size_t frame_index,
                                                  Position position) {
  const auto is_known = [&] {
    return position >= events_from_ && position.value - events_from_.value < events_.size();
  };
  if (!is_known()) {
    events_.clear();
    bool scanned = false;
    auto done = scan_segment(
        reader, frame_index,
        [&](const ScannedFrame& frame, const FrameHeader& header,
            std::span<const std::byte> bytes) -> Result<void> {
          events_from_ = header.first_position;
          for (const auto& record : frame.records)
            if (record.kind == RecordKind::kEvent)
              events_.push_back({.offset = offset_of(record, header, bytes),
                                 .ends_commit = record.ends_commit,
                                 .id = {protocol::id_of(record.payload).bytes,
                                        protocol::fingerprint_of(record.payload)}});
          scanned = true;
          return std::unexpected(Error{.code = ErrorCode::kCancelled});  // this one frame
        });
    if (!scanned && !done) return std::unexpected(done.error());
  }
  if (!is_known())
    return reader.damaged(0, {position, position}, "its frames contradict each other");
  return events_[position.value - events_from_.value];
}

}  // namespace esdb::storage
