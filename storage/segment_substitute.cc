#include "storage/segment_substitute.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "protocol/encoded_event.h"
#include "storage/aligned_bytes.h"
#include "storage/check.h"
#include "storage/footer.h"
#include "storage/frame_check.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

// Entries of what is whole, and between them such as lead to no frame and no record.
class Tables {
 public:
  explicit Tables(const PlannedSegment& planned)
      : planned_(planned), at_(first_frame_at(planned.header.block_bytes)) {
    time_ = planned.before.commit_time;
    next_frame_ = planned.before.frame_number + 1;
    next_position_ = planned.before.last.value + 1;
  }

  void add(const KnownFrame& frame, std::span<const std::byte> bytes) {
    fill(frame.header.frame_number, frame.header.first_position);
    const FramePlace place{planned_.header.number, frame.header.offset, planned_.header.seed,
                           planned_.header.unit_bytes};
    std::vector<ScannedRecord> records;
    ESDB_CHECK(check_content(frame.header, bytes, place, records).empty());
    frames_.push_back({.first_position = frame.header.first_position,
                       .commit_time = frame.header.commit_time,
                       .offset = frame.header.offset});
    for (const auto& record : records) {
      if (record.kind != RecordKind::kEvent) continue;
      const auto payload_at = static_cast<std::uint64_t>(record.payload.data() - bytes.data());
      const auto offset = (frame.header.offset + payload_at - sizeof(RecordHeader)) / 8;
      offsets_.push_back(static_cast<std::uint32_t>(offset) |
                         (record.ends_commit ? kOffsetEndsCommit : 0));
      ids_.push_back(
          {protocol::id_of(record.payload).bytes, protocol::fingerprint_of(record.payload)});
    }
    next_frame_ = frame.header.frame_number + 1;
    next_position_ = frame.header.first_position + frame.header.event_count;
    time_ = frame.header.commit_time;
    at_ = frame.end();
  }
  // Up to these, which are not in it.
  void fill(std::uint64_t frame_number, std::uint64_t position) {
    for (; next_frame_ < frame_number; ++next_frame_)
      frames_.push_back({.first_position = next_position_,
                         .commit_time = time_,
                         .offset = static_cast<std::uint32_t>(at_)});
    for (; next_position_ < position; ++next_position_) {
      offsets_.push_back(static_cast<std::uint32_t>(at_ / 8) | kOffsetEndsCommit);
      ids_.push_back({});
    }
  }

  FooterTables spans() const {
    return {.offsets = std::as_bytes(std::span(offsets_)),
            .ids = std::as_bytes(std::span(ids_)),
            .frames = std::as_bytes(std::span(frames_))};
  }
  FooterCounts counts() const { return {.events = offsets_.size(), .frames = frames_.size()}; }
  std::int64_t first_commit_time() const { return frames_.front().commit_time; }

 private:
  const PlannedSegment& planned_;
  std::vector<std::uint32_t> offsets_{};
  std::vector<FooterId> ids_{};
  std::vector<FooterFrame> frames_{};
  std::uint64_t next_frame_ = 0, next_position_ = 0;
  std::int64_t time_ = 0;
  std::uint64_t at_ = 0;  // behind the last whole frame
};

FooterTail tail_of(const PlannedSegment& planned, const SegmentHeader& header, const Tables& tables,
                   const FooterPlan& plan) {
  FooterTail tail;
  tail.segment = header.number;
  tail.first_position = planned.before.last.value + 1;
  tail.first_frame = planned.before.frame_number + 1;
  tail.event_count = static_cast<std::uint32_t>(tables.counts().events);
  tail.frame_count = static_cast<std::uint32_t>(tables.counts().frames);
  tail.frames_end = static_cast<std::uint32_t>(planned.frames_end);
  tail.unit_bytes = header.unit_bytes;
  tail.first_commit_time = tables.first_commit_time();
  tail.last_commit_time = planned.behind.commit_time;
  tail.first_epoch_id = planned.before.epoch_id;
  tail.last_epoch_id = planned.behind.epoch_id;
  tail.offsets_at = plan.offsets_at;
  tail.ids_at = plan.ids_at;
  tail.frames_at = plan.frames_at;
  tail.checksum = checksum_of(tail, header.seed);
  return tail;
}

}  // namespace

IoResult<void> make_substitute(Io& io, const std::string& directory, const PlannedSegment& planned,
                               std::span<const std::byte> bytes) {
  Tables tables(planned);
  for (const auto& frame : planned.whole)
    tables.add(frame, bytes.subspan(frame.header.offset, frame.bytes));
  tables.fill(planned.behind.frame_number + 1, planned.behind.last.value + 1);
  auto header = planned.header;
  auto plan = footer_plan(header.segment_bytes, header.block_bytes, tables.counts());
  // A lost one may have been larger than those beside it.
  while (plan.begins < planned.frames_end) {
    header.segment_bytes *= 2;
    plan = footer_plan(header.segment_bytes, header.block_bytes, tables.counts());
  }
  auto file = make_segment(io, directory, header);
  if (!file) return std::unexpected(file.error());
  const auto first = first_frame_at(header.block_bytes);
  // All of it, with what is damaged between the whole ones.
  if (planned.frames_end > first) {
    AlignedBytes frames(padded(planned.frames_end, header.block_bytes) - first);
    std::memcpy(frames.bytes().data(), bytes.data() + first, planned.frames_end - first);
    if (auto written = (*file)->write_durable(first, frames.bytes()); !written) return written;
  }
  AlignedBytes footer(header.segment_bytes - plan.begins);
  lay_tables(footer.bytes().first(plan.tail_block_at - plan.begins), plan, header, tables.spans());
  const auto tail = tail_of(planned, header, tables, plan);
  std::memcpy(footer.bytes().data() + (plan.tail_at - plan.begins), &tail, sizeof(tail));
  return (*file)->write_durable(plan.begins, footer.bytes());
}

}  // namespace esdb::storage
