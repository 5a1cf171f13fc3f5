#include "storage/inspect.h"

#include <algorithm>
#include <cstring>

#include "storage/offline_segment.h"
#include "storage/posix_io.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

Time time_of(std::int64_t nanoseconds) { return Time{std::chrono::nanoseconds{nanoseconds}}; }

std::vector<InspectedWitness> witnesses_of(std::span<const std::byte> bytes,
                                           const SegmentHeader& header) {
  std::vector<InspectedWitness> result;
  for (unsigned which = 0; which < 2; ++which) {
    const auto at = witness_at(header.block_bytes, which);
    Witness witness;
    if (at + sizeof(witness) > bytes.size()) break;
    std::memcpy(&witness, bytes.data() + at, sizeof(witness));
    const bool sound = witness.magic == kWitnessMagic && witness.segment == header.number &&
                       witness.checksum == checksum_of(witness, header.seed);
    result.push_back(
        sound ? InspectedWitness{true, witness.clean != 0, witness.durable_frame, witness.sequence}
              : InspectedWitness{});
  }
  return result;
}

void add_footer(const FooterTail& tail, InspectedSegment& shown) {
  shown.is_sealed = true;
  shown.first = tail.first_position;
  shown.first_frame = tail.first_frame;
  shown.events = tail.event_count;
  shown.frames = tail.frame_count;
  shown.frames_end = tail.frames_end;
  shown.first_committed = time_of(tail.first_commit_time);
  shown.last_committed = time_of(tail.last_commit_time);
  shown.first_epoch = uuid_text(tail.first_epoch_id);
  shown.last_epoch = uuid_text(tail.last_epoch_id);
  shown.offsets_at = tail.offsets_at;
  shown.ids_at = tail.ids_at;
  shown.frames_at = tail.frames_at;
}

// Up to the first frame that is not whole.
Result<void> count_frames(std::span<const std::byte> bytes, const SegmentHeader& header,
                          InspectedSegment& shown) {
  const WalkRange range{first_frame_at(header.block_bytes), header.segment_bytes};
  bool whole = true;
  auto walked = walk_frames(bytes, header, range, [&](const WalkedFrame& frame) -> Result<void> {
    whole = whole && frame.damage.empty();
    if (!whole) return {};
    const auto& found = *frame.header;
    if (shown.frames == 0) {
      shown.first = found.first_position;
      shown.first_frame = found.frame_number;
      shown.first_committed = time_of(found.commit_time);
      shown.first_epoch =
          uuid_text(found.kind == FrameKind::kEpoch ? frame.parent_epoch_id : found.epoch_id);
    }
    ++shown.frames;
    shown.events += found.event_count;
    shown.frames_end = found.offset + frame_bytes(found, header.unit_bytes);
    shown.last_committed = time_of(found.commit_time);
    shown.last_epoch = uuid_text(found.epoch_id);
    return {};
  });
  if (!walked) return std::unexpected(walked.error());
  return {};
}

Result<InspectedSegment> inspect_segment(Io& io, const OfflineSegment& segment) {
  InspectedSegment shown{
      .number = segment.number, .file = segment.path, .file_bytes = segment.file_bytes};
  if (!segment.header) {
    shown.damage = "no sound header";
    return shown;
  }
  const auto& header = *segment.header;
  shown.store_id = uuid_text(header.store_id);
  shown.format = header.format;
  shown.segment_bytes = header.segment_bytes;
  shown.block_bytes = header.block_bytes;
  shown.unit_bytes = header.unit_bytes;
  if (header.number != segment.number)
    shown.damage = "its header says that it is segment " + std::to_string(header.number);
  auto bytes = SegmentBytes::read(io, segment);
  if (!bytes) return std::unexpected(bytes.error());
  shown.witnesses = witnesses_of(bytes->bytes(), header);
  if (segment.tail)
    add_footer(*segment.tail, shown);
  else if (auto counted = count_frames(bytes->bytes(), header, shown); !counted)
    return std::unexpected(counted.error());
  return shown;
}

InspectedRecord shown_record(const ScannedRecord& record, std::uint64_t offset) {
  InspectedRecord shown{.offset = offset,
                        .is_tracking = record.kind == RecordKind::kTracking,
                        .position = record.position,
                        .version = record.version,
                        .previous = record.previous,
                        .ordinal = record.ordinal,
                        .ends_commit = record.ends_commit,
                        .payload = record.payload};
  if (shown.is_tracking && record.payload.size() >= sizeof(shown.tracked)) {
    std::memcpy(&shown.tracked, record.payload.data(), sizeof(shown.tracked));
    const auto source = record.payload.subspan(sizeof(shown.tracked));
    shown.source.assign(reinterpret_cast<const char*>(source.data()), source.size());
  }
  return shown;
}

InspectedFrame shown_frame(const WalkedFrame& frame) {
  InspectedFrame shown{.offset = frame.offset, .damage = frame.damage};
  if (!frame.header) return shown;
  const auto& header = *frame.header;
  shown.has_header = true;
  shown.is_epoch = header.kind == FrameKind::kEpoch;
  shown.frame_number = header.frame_number;
  shown.length = header.length;
  shown.first = header.first_position;
  shown.record_count = header.record_count;
  shown.event_count = header.event_count;
  shown.epoch_id = uuid_text(header.epoch_id);
  if (shown.is_epoch && frame.damage.empty())
    shown.parent_epoch_id = uuid_text(frame.parent_epoch_id);
  shown.committed = time_of(header.commit_time);
  shown.durable_frame = header.durable_frame;
  std::uint64_t offset = frame.offset + sizeof(FrameHeader);
  for (const auto& record : frame.records) {
    shown.records.push_back(shown_record(record, offset));
    offset += record_bytes(record.payload.size());
  }
  return shown;
}

}  // namespace

Result<std::vector<InspectedSegment>> inspect(const std::string& directory) {
  PosixIo io;
  auto log = look_at_log(io, directory);
  if (!log) return std::unexpected(log.error());
  std::vector<InspectedSegment> shown;
  for (const auto& segment : log->segments) {
    auto one = inspect_segment(io, segment);
    if (!one) return std::unexpected(one.error());
    shown.push_back(std::move(*one));
  }
  return shown;
}

Result<void> inspect_frames(const std::string& directory, std::uint32_t number,
                            const std::function<Result<void>(const InspectedFrame&)>& each) {
  PosixIo io;
  auto log = look_at_log(io, directory);
  if (!log) return std::unexpected(log.error());
  const auto segment = std::find_if(log->segments.begin(), log->segments.end(),
                                    [&](const auto& found) { return found.number == number; });
  if (segment == log->segments.end())
    return std::unexpected(Error{.code = ErrorCode::kInvalidArgument,
                                 .message = directory + " has no segment " +
                                            std::to_string(number) + ": it has " +
                                            std::to_string(log->segments.front().number) + " to " +
                                            std::to_string(log->segments.back().number)});
  if (!segment->header)
    return std::unexpected(Error{.code = ErrorCode::kCorrupt,
                                 .message = segment->path + " has no sound header: its frames "
                                                            "cannot be told from other bytes"});
  auto bytes = SegmentBytes::read(io, *segment);
  if (!bytes) return std::unexpected(bytes.error());
  const auto& header = *segment->header;
  const WalkRange range{first_frame_at(header.block_bytes),
                        segment->tail ? segment->tail->offsets_at : header.segment_bytes};
  auto walked = walk_frames(bytes->bytes(), header, range,
                            [&](const WalkedFrame& frame) { return each(shown_frame(frame)); });
  if (!walked) return std::unexpected(walked.error());
  return {};
}

}  // namespace esdb::storage
