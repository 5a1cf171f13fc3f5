// Log's sequential side: every frame in order, the newest ids.
#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/check.h"
#include "storage/footer.h"
#include "storage/frame_check.h"
#include "storage/log.h"
#include "storage/log_state.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kScanBytes = std::size_t{1} << 20;
constexpr std::size_t kIdSegmentsMax = 1000;

using Each = std::function<Result<void>(const ScannedFrame&)>;

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

Result<void> scan_segment(SegmentReader& reader, std::size_t from, const Each& each) {
  auto content_end = reader.content_end();
  if (!content_end) return std::unexpected(content_end.error());
  ScanBytes bytes(reader, padded(*content_end, reader.unit_bytes()));
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
    ScannedFrame frame{.kind = header->kind, .mark = mark_of(*header), .records = records};
    if (header->kind == FrameKind::kEpoch) frame.parent_epoch_id = parent_epoch_of(*whole);
    if (auto done = each(frame); !done) return done;
    offset += whole->size();
    next = next.value + header->event_count;
  }
  return {};
}

// The footer blocks that hold entries first..first + count of a table, read at once.
Result<std::vector<std::byte>> read_table(SegmentReader& reader, std::uint64_t table_at,
                                          std::size_t first, std::size_t count,
                                          std::size_t entry_bytes) {
  const auto per_block = kFooterPayloadBytes / entry_bytes;
  const auto first_block = first / per_block;
  const auto blocks = (first + count - 1) / per_block - first_block + 1;
  std::vector<std::byte> bytes(blocks * kFooterBlockBytes);
  const auto begin = table_at + first_block * kFooterBlockBytes;
  const Positions all{reader.first(), reader.last()};
  if (auto done = reader.read(begin, bytes, all); !done) return std::unexpected(done.error());
  std::vector<std::byte> entries;
  entries.reserve(count * entry_bytes);
  for (std::size_t block = 0; block < blocks; ++block) {
    FooterBlock one;
    std::memcpy(one.data(), bytes.data() + block * kFooterBlockBytes, one.size());
    const auto at = begin + block * kFooterBlockBytes;
    if (!is_sound(one, {reader.number(), at}, reader.seed()))
      return reader.damaged(at, all, "a block of its footer fails its checksum");
    const auto from = block == 0 ? first % per_block : 0;
    const auto here = std::min(per_block - from, count - entries.size() / entry_bytes);
    const auto part = std::span(one).subspan(from * entry_bytes, here * entry_bytes);
    entries.insert(entries.end(), part.begin(), part.end());
  }
  return entries;
}

Result<void> add_ids(SegmentReader& reader, const Segment& segment, std::size_t first,
                     std::vector<Log::RecentId>& ids) {
  const auto count = reader.events() - first;
  if (count == 0) return {};
  std::vector<std::byte> offsets, entries;
  const std::uint32_t* offset_at = nullptr;
  if (segment.sealed) {
    auto table = read_table(reader, segment.sealed->offsets_at, first, count, sizeof(*offset_at));
    if (!table) return std::unexpected(table.error());
    offsets = std::move(*table);
    table = read_table(reader, segment.sealed->ids_at, first, count, sizeof(FooterId));
    if (!table) return std::unexpected(table.error());
    entries = std::move(*table);
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t offset = 0;
    FooterId id;
    if (segment.sealed) {
      std::memcpy(&offset, offsets.data() + i * sizeof(offset), sizeof(offset));
      std::memcpy(&id, entries.data() + i * sizeof(id), sizeof(id));
    } else {
      offset = segment.open->offset_entry(first + i);
      id = segment.open->id_entry(first + i);
    }
    ids.push_back({.position = reader.first().value + first + i,
                   .id = {id.id},
                   .fingerprint = id.fingerprint,
                   .ends_commit = (offset & kOffsetEndsCommit) != 0});
  }
  return {};
}

}  // namespace

Result<void> Log::scan(std::uint64_t from_frame, const Each& each) const {
  const ReadScope scope(*this, *state_);
  std::uint64_t next = std::max(from_frame, scope.list().segments.front().first_frame);
  while (next <= scope.last_frame()) {
    auto reader = scope.reader(scope.list().of_frame(next));
    ESDB_CHECK(next - reader.first_frame() < reader.frames());
    if (auto done = scan_segment(reader, next - reader.first_frame(), each); !done) return done;
    next = reader.first_frame() + reader.frames();
  }
  return {};
}

Result<std::vector<Log::RecentId>> Log::recent_ids(std::size_t count) const {
  const ReadScope scope(*this, *state_);
  count = std::min<std::uint64_t>(count, scope.last().value);
  std::vector<RecentId> ids;
  if (count == 0) return ids;
  const Position first = scope.last().value - count + 1;
  auto index = scope.list().of_position(first);
  if (scope.size() - index > kIdSegmentsMax) index = scope.size() - kIdSegmentsMax;
  ids.reserve(count);
  for (; index < scope.size(); ++index) {
    auto reader = scope.reader(index);
    if (reader.events() == 0) continue;
    const auto skipped = first > reader.first() ? first.value - reader.first().value : 0;
    if (auto done = add_ids(reader, scope.list().segments[index], skipped, ids); !done)
      return std::unexpected(done.error());
  }
  return ids;
}

}  // namespace esdb::storage
