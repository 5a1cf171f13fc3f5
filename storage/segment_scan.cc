#include "storage/segment_scan.h"

#include <algorithm>
#include <memory>

#include "storage/frame_check.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kScanBytes = std::size_t{1} << 20;

// The bytes of one segment from an offset on, as a scan meets them: the image itself, or a buffer
// that moves over the file.
class ScanBytes {
 public:
  ScanBytes(SegmentReader& reader, std::uint64_t end) : reader_(reader), end_(end) {}

  // bytes [offset, offset + size), valid until the next call.
  Result<std::span<const std::byte>> at(std::uint64_t offset, std::size_t size,
                                        const Positions& positions) {
    if (offset + size > end_) return reader_.damaged(offset, positions, "a frame is cut short");
    if (reader_.is_in_memory()) return reader_.image().subspan(offset, size);
    if (offset < begin_ || offset + size > begin_ + filled_) {
      filled_ = std::min<std::uint64_t>(std::max(size, kScanBytes), end_ - offset);
      begin_ = offset;
      if (buffer_words_ * 8 < filled_) {
        buffer_words_ = padded(filled_, 8) / 8;
        buffer_ = std::make_unique_for_overwrite<std::uint64_t[]>(buffer_words_);
      }
      const std::span into(reinterpret_cast<std::byte*>(buffer_.get()), filled_);
      if (auto done = reader_.read(offset, into, positions); !done) {
        filled_ = 0;
        return std::unexpected(done.error());
      }
    }
    return std::span(reinterpret_cast<const std::byte*>(buffer_.get()), filled_)
        .subspan(offset - begin_, size);
  }

 private:
  SegmentReader& reader_;
  const std::uint64_t end_;
  std::unique_ptr<std::uint64_t[]> buffer_{};
  std::size_t buffer_words_ = 0;
  std::uint64_t begin_ = 0;
  std::size_t filled_ = 0;
};

}  // namespace

Result<void> scan_segment(SegmentReader& reader, std::size_t from, const EachFrame& each) {
  auto end = reader.frames_end();
  if (!end) return std::unexpected(end.error());
  ScanBytes bytes(reader, *end);
  std::vector<ScannedRecord> records;
  auto first = reader.frame(from);
  if (!first) return std::unexpected(first.error());
  std::uint64_t offset = first->offset;
  Position next = first->first_position;
  for (auto index = from; index < reader.frames(); ++index) {
    const FramePlace place{reader.number(), offset, reader.seed(), reader.unit_bytes()};
    Positions positions{next, next};
    auto head = bytes.at(offset, sizeof(FrameHeader), positions);
    if (!head) return std::unexpected(head.error());
    const auto header = frame_header_at(*head, place);
    if (!header || header->frame_number != reader.first_frame() + index)
      return reader.damaged(offset, positions, "the header of a frame fails its checksum");
    if (header->event_count > 0) positions.to = next.value + header->event_count - 1;
    auto whole = bytes.at(offset, frame_bytes(*header, place.unit_bytes), positions);
    if (!whole) return std::unexpected(whole.error());
    if (auto why = check_content(*header, *whole, place, records); !why.empty())
      return reader.damaged(offset, positions, "in a frame, " + why);
    ScannedFrame frame{
        .kind = header->kind, .mark = mark_of(*header), .records = records, .bytes = whole->size()};
    if (header->kind == FrameKind::kEpoch) frame.parent_epoch_id = parent_epoch_of(*whole);
    if (auto done = each(frame, *header, *whole); !done) return done;
    offset += whole->size();
    next = next.value + header->event_count;
  }
  return {};
}

}  // namespace esdb::storage
