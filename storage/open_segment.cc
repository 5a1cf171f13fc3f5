#include "storage/open_segment.h"

#include <algorithm>
#include <cstring>

#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "storage/sabotage.h"

namespace esdb::storage {

OpenSegment::OpenSegment(const SegmentHeader& header, std::unique_ptr<File> file,
                         ArenaPool::Lease arena)
    : header_(header),
      file_(std::move(file)),
      arena_(std::move(arena)),
      image_(arena_->image()),
      used_(first_frame_at(header.block_bytes)) {
  ESDB_CHECK(image_.size() == header_.segment_bytes && file_ != nullptr);
  ESDB_CHECK(header_.block_bytes % header_.unit_bytes == 0);
}

OpenSegment::~OpenSegment() {
  const auto plan =
      footer_plan(header_.segment_bytes, header_.block_bytes, {event_count_, frame_count_});
  arena_->mark_used(std::min<std::uint64_t>(padded(at_, header_.unit_bytes), image_.size()),
                    image_.size());
  arena_->mark_used(std::min(used_, plan.begins), plan.begins);
}

void OpenSegment::begin(const Before& before) {
  ESDB_CHECK(event_count_ == 0 && frame_count_ == 0);
  before_ = before;
  epoch_id_ = before.epoch_id;
  commit_time_ = before.commit_time;
}

bool OpenSegment::has_room(std::size_t content_bytes, std::size_t events,
                           std::size_t frames) const {
  const std::uint64_t content_at = placing_ ? at_ : used_ + sizeof(FrameHeader);
  const auto end = padded(content_at + content_bytes, header_.unit_bytes);
  const auto plan = footer_plan(header_.segment_bytes, header_.block_bytes,
                                {event_count_ + events, std::size_t{frame_count_} + frames});
  return end <= plan.begins && event_count_ + events <= arena_->offsets().size() &&
         frame_count_ + frames <= arena_->frames().size();
}

void OpenSegment::begin_frame(const NewFrame& frame) {
  ESDB_CHECK(!placing_);
  placing_ = true;
  placed_ = {};
  placed_.kind = frame.kind;
  placed_.segment = header_.number;
  placed_.offset = static_cast<std::uint32_t>(used_);
  placed_.frame_number = last_frame() + 1;
  placed_.first_position = last().value + 1;
  placed_.epoch_id = frame.epoch_id;
  placed_.commit_time = std::max(frame.commit_time, commit_time_);
  commit_time_ = placed_.commit_time;
  placed_.records_checksum = header_.seed;
  at_ = used_ + sizeof(FrameHeader);
}

// Header and payload stand at at_; the padding is zero as the image is.
void OpenSegment::place(RecordHeader header, std::uint64_t payload_hash, Position position) {
  header.checksum = checksum_of(header, payload_hash, position, header_.seed);
  std::memcpy(image_.data() + at_, &header, sizeof(header));
  placed_.records_checksum = next_records_checksum(placed_.records_checksum, header);
  ++placed_.record_count;
  at_ += record_bytes(header.length);
}

Position OpenSegment::add_event(const NewRecord& record) {
  ESDB_CHECK(placing_ && record.ordinal <= kOrdinalMax);
  ESDB_CHECK(has_room(record_bytes(record.encoded.size()), 1));
  const Position position = last().value + 1;
  std::memcpy(image_.data() + at_ + sizeof(RecordHeader), record.encoded.data(),
              record.encoded.size());
  note_event(at_, record.ends_commit, {record.id.bytes, record.fingerprint});
  RecordHeader header;
  header.length = static_cast<std::uint32_t>(record.encoded.size());
  header.marks = static_cast<std::uint32_t>(RecordKind::kEvent) |
                 (record.ends_commit ? kMarkEndsCommit : 0) | record.ordinal << 8;
  header.version = record.version.value;
  header.previous = record.previous.value;
  place(header, record.hash, position);
  ++placed_.event_count;
  return position;
}

void OpenSegment::add_tracking(std::string_view source, std::uint64_t position, bool ends_commit) {
  ESDB_CHECK(placing_);
  const auto bytes = sizeof(position) + source.size();
  ESDB_CHECK(has_room(record_bytes(bytes), 0));
  const auto payload = image_.subspan(at_ + sizeof(RecordHeader), bytes);
  std::memcpy(payload.data(), &position, sizeof(position));
  std::memcpy(payload.data() + sizeof(position), source.data(), source.size());
  RecordHeader header;
  header.length = static_cast<std::uint32_t>(bytes);
  header.marks =
      static_cast<std::uint32_t>(RecordKind::kTracking) | (ends_commit ? kMarkEndsCommit : 0);
  place(header, hash_of_bytes(payload), last());
}

void OpenSegment::add_parent_epoch(const Uuid& epoch_id) {
  ESDB_CHECK(placing_ && placed_.kind == FrameKind::kEpoch);
  std::memcpy(image_.data() + at_, epoch_id.data(), epoch_id.size());
  placed_.records_checksum = checksum_of_epoch_content(epoch_id, header_.seed);
  at_ += epoch_id.size();
}

Log::Ended OpenSegment::end_frame(std::uint64_t durable_frame) {
  ESDB_CHECK(placing_ && durable_frame < placed_.frame_number);
  ESDB_CHECK(placed_.kind == FrameKind::kEpoch || placed_.record_count > 0);
  placing_ = false;
  placed_.length = static_cast<std::uint32_t>(at_ - used_);
  placed_.durable_frame = durable_frame;
  placed_.checksum = checksum_of(placed_, header_.seed);
  std::memcpy(image_.data() + used_, &placed_, sizeof(placed_));
  auto begin = used_;
  // The unit before it, where that is a frame's.
  if (sabotaged(Sabotage::kTailUnitWrittenAgain))
    begin =
        std::max<std::uint64_t>(begin - header_.unit_bytes, first_frame_at(header_.block_bytes));
  note_frame(placed_);
  return {.write = {.file = file_.get(),
                    .offset = begin,
                    .bytes = image_.subspan(begin, used_ - begin),
                    .frame_number = placed_.frame_number},
          .mark = mark_of(placed_)};
}

void OpenSegment::note_event(std::uint64_t offset, bool ends_commit, const FooterId& id) {
  ESDB_CHECK(offset % 8 == 0);
  arena_->offsets()[event_count_] =
      static_cast<std::uint32_t>(offset / 8) | (ends_commit ? kOffsetEndsCommit : 0);
  arena_->ids()[event_count_] = id;
  ++event_count_;
}

// The frame stands at used_.
void OpenSegment::note_frame(const FrameHeader& header) {
  arena_->frames()[frame_count_] = {.first_position = header.first_position,
                                    .commit_time = header.commit_time,
                                    .offset = static_cast<std::uint32_t>(used_)};
  ++frame_count_;
  epoch_id_ = header.epoch_id;
  commit_time_ = header.commit_time;
  used_ += frame_bytes(header, header_.unit_bytes);
}

void OpenSegment::take_in(const FrameHeader& header, std::span<const ScannedRecord> records) {
  ESDB_CHECK(header.offset == used_ && header.frame_number == last_frame() + 1);
  for (const auto& record : records) {
    if (record.kind != RecordKind::kEvent) continue;
    const auto offset = static_cast<std::uint64_t>(record.payload.data() - image_.data());
    note_event(offset - sizeof(RecordHeader), record.ends_commit,
               {protocol::id_of(record.payload).bytes, protocol::fingerprint_of(record.payload)});
  }
  note_frame(header);
}

void OpenSegment::clear_rest(std::uint64_t end) {
  ESDB_CHECK(used_ <= end && end <= image_.size());
  std::memset(image_.data() + used_, 0, end - used_);
}

std::span<const std::byte> OpenSegment::bytes_of_offsets() const {
  return std::as_bytes(arena_->offsets().first(event_count_));
}

std::span<const std::byte> OpenSegment::bytes_of_ids() const {
  return std::as_bytes(arena_->ids().first(event_count_));
}

std::span<const std::byte> OpenSegment::bytes_of_frames() const {
  return std::as_bytes(arena_->frames().first(frame_count_));
}

}  // namespace esdb::storage
