#include "storage/batch_filler.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "storage/frame_check.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kReadBytesMin = std::size_t{64} << 10;
constexpr std::size_t kPackBytes = std::size_t{64} << 10;
constexpr std::size_t kRecordGuess = 1024;

std::unique_ptr<std::uint64_t[]> make_block(std::size_t bytes) {
  return std::make_unique_for_overwrite<std::uint64_t[]>(padded(bytes, 8) / 8);
}

std::span<std::byte> bytes_of(const std::unique_ptr<std::uint64_t[]>& block, std::size_t bytes) {
  return {reinterpret_cast<std::byte*>(block.get()), bytes};
}

RecordedEvent::Stored stored_of(const ScannedRecord& record, Time committed) {
  return {.position = record.position,
          .version = record.version,
          .committed = committed,
          .ordinal = record.ordinal,
          .ends_append = record.ends_commit,
          .id = protocol::id_of(record.payload),
          .encoded = record.payload};
}

}  // namespace

// Where a walk over the bytes of a run stands.
struct BatchFiller::Walk {
  std::span<const std::byte> bytes;
  std::uint64_t begin;      // the file offset of bytes[0]
  std::size_t at = 0;       // the next record, or the end of the frame
  std::uint64_t frame_end;  // file offset behind the frame's last record
  Time committed;
  Position last{};  // given
};

bool BatchFiller::fits(std::size_t bytes) {
  if (events_ > 0 && (full_ || events_ >= budget_.events || bytes_ + bytes > budget_.bytes)) {
    full_ = true;
    return false;
  }
  bytes_ += bytes;
  ++events_;
  return true;
}

// At a frame's end: goes to the first record of the next one. false: the bytes end before it.
Result<bool> BatchFiller::enter_frame(SegmentReader& reader, Walk& at, Position next) {
  const auto offset = padded(at.frame_end, reader.unit_bytes());
  if (offset < at.begin)
    return reader.damaged(at.begin, {next, next},
                          "its footer and its frames contradict each other");
  if (offset + sizeof(FrameHeader) > at.begin + at.bytes.size()) return false;
  const auto header =
      frame_header_at(at.bytes.subspan(offset - at.begin),
                      {reader.number(), offset, reader.seed(), reader.unit_bytes()});
  if (!header || header->first_position != next.value)
    return reader.damaged(offset, {next, next}, "the header of a frame fails its checksum");
  at.frame_end = offset + header->length;
  at.committed = Time{std::chrono::nanoseconds{header->commit_time}};
  at.at =
      (header->kind == FrameKind::kEpoch ? at.frame_end : offset + sizeof(FrameHeader)) - at.begin;
  return true;
}

Result<void> BatchFiller::walk(SegmentReader& reader, Walk& at, const Positions& run) {
  Position next = run.from;
  while (next <= run.to && !is_full()) {
    if (at.begin + at.at >= at.frame_end) {
      auto entered = enter_frame(reader, at, next);
      if (!entered) return std::unexpected(entered.error());
      if (!*entered) return {};
      continue;
    }
    const auto bytes = at.bytes.subspan(at.at);
    std::uint32_t marks = 0;
    if (bytes.size() < sizeof(RecordHeader)) return {};
    std::memcpy(&marks, bytes.data() + offsetof(RecordHeader, marks), sizeof(marks));
    const bool is_event = kind_of(marks) != RecordKind::kTracking;
    const Position position = is_event ? next.value : next.value - 1;
    std::string_view damage;
    const auto record = reader.is_in_memory() ? trusted_record_at(bytes, position)
                                              : record_at(bytes, position, reader.seed(), damage);
    if (!record)
      return reader.damaged(at.begin + at.at, {next, next}, "an event " + std::string(damage));
    at.at += record_bytes(record->payload.size());
    if (!is_event) continue;
    if (!fits(record->payload.size())) return {};
    batch_.stored.push_back(stored_of(*record, at.committed));
    at.last = next;
    next = next.value + 1;
  }
  return {};
}

// Keeps the events from `from` on: in the block they were read into, or packed into one of their
// own size where most of the block is headers and gaps.
void BatchFiller::keep(std::unique_ptr<std::uint64_t[]> block, std::size_t block_bytes,
                       std::size_t from) {
  const auto given = std::span(batch_.stored).subspan(from);
  std::size_t used = 0;
  for (const auto& event : given) used += padded(event.encoded.size(), 8);
  if (used == 0) return;
  if (used * 2 < block_bytes) {
    auto packed = make_block(used);
    auto into = bytes_of(packed, used);
    for (auto& event : given) {
      std::memcpy(into.data(), event.encoded.data(), event.encoded.size());
      event.encoded = into.first(event.encoded.size());
      into = into.subspan(padded(event.encoded.size(), 8));
    }
    block = std::move(packed);
  }
  batch_.bytes.push_back(std::move(block));
}

Result<Position> BatchFiller::add_run(SegmentReader& reader, const Positions& run) {
  ESDB_CHECK(run.from <= run.to && run.to <= reader.last());
  auto begin = reader.event_place(run.from);
  if (!begin) return std::unexpected(begin.error());
  auto frame = reader.frame_of(run.from);
  if (!frame) return std::unexpected(frame.error());
  auto header = reader.frame_header(*frame);
  if (!header) return std::unexpected(header.error());

  // The events that one read brings: those whose places are at hand and that may fit the budget.
  const auto span = std::max(budget_.bytes - std::min(bytes_, budget_.bytes), kReadBytesMin);
  std::uint64_t count =
      std::min<std::uint64_t>(reader.places_at_hand(run.from), run.to.value - run.from.value + 1);
  count = std::min(count, budget_.events - events_);
  std::uint64_t low = 1, high = count;  // the most events that begin within the span
  while (low < high) {
    const auto middle = low + (high - low + 1) / 2;
    auto place = reader.event_place(run.from.value + middle - 1);
    if (!place) return std::unexpected(place.error());
    (place->offset - begin->offset < span ? low : high) =
        place->offset - begin->offset < span ? middle : middle - 1;
  }
  const Positions part{run.from, run.from.value + low - 1};
  std::uint64_t end = 0;
  if (part.to < reader.last()) {
    auto next = reader.event_place(part.to.value + 1);
    if (!next) return std::unexpected(next.error());
    end = next->offset;
  } else {
    auto content = reader.content_end();
    if (!content) return std::unexpected(content.error());
    end = *content;
  }
  // A place behind the frames is one where nothing is left: no reason to read as far as that.
  if (!reader.is_in_memory()) {
    auto frames_end = reader.frames_end();
    if (!frames_end) return std::unexpected(frames_end.error());
    end = std::min(end, *frames_end);
  }
  if (end <= begin->offset)
    return reader.damaged(begin->offset, part, "its footer and its frames contradict each other");

  auto block = make_block(end - begin->offset);
  const auto bytes = bytes_of(block, end - begin->offset);
  if (auto done = reader.read(begin->offset, bytes, part); !done) {
    // One bad sector must not hide the events around it.
    if (low == 1) return std::unexpected(done.error());
    return add_run(reader, {run.from, run.from.value + low / 2 - 1});
  }
  Walk at{.bytes = bytes,
          .begin = begin->offset,
          .frame_end = std::uint64_t{header->offset} + header->length,
          .committed = Time{std::chrono::nanoseconds{header->commit_time}},
          .last = run.from.value - 1};
  const auto from = batch_.stored.size();
  batch_.stored.reserve(from + low);
  auto walked = walk(reader, at, part);
  keep(std::move(block), bytes.size(), from);
  if (at.last.value + 1 == run.from.value && !walked) return std::unexpected(walked.error());
  return at.last;
}

std::span<std::byte> BatchFiller::pack(std::size_t bytes) {
  const auto size = padded(bytes, 8);
  if (pack_left_.size() < size) {
    const auto block_bytes = std::max(size, std::min(kPackBytes, padded(budget_.bytes, 8)));
    batch_.bytes.push_back(make_block(block_bytes));
    pack_left_ = bytes_of(batch_.bytes.back(), block_bytes);
  }
  const auto result = pack_left_.first(bytes);
  pack_left_ = pack_left_.subspan(size);
  return result;
}

Result<BatchFiller::Located> BatchFiller::locate(SegmentReader& reader, Position position) {
  auto place = reader.event_place(position);
  if (!place) return std::unexpected(place.error());
  const auto offset = place->offset;
  auto index = reader.frame_of(position);
  if (!index) return std::unexpected(index.error());
  auto frame = reader.frame(*index);
  if (!frame) return std::unexpected(frame.error());
  auto end = reader.is_in_memory() ? reader.content_end() : reader.frames_end();
  if (!end) return std::unexpected(end.error());
  const Positions here{position, position};
  if (offset + sizeof(RecordHeader) > *end)
    return reader.damaged(offset, here, "its footer and its frames contradict each other");

  return Located{.position = position,
                 .offset = offset,
                 .end = *end,
                 .committed = Time{std::chrono::nanoseconds{frame->commit_time}}};
}

Result<BatchFiller::Found> BatchFiller::read(SegmentReader& reader, const Located& located) {
  const auto [position, offset, end, committed] = located;
  const Positions here{position, position};
  Found found{.committed = committed};
  std::optional<ScannedRecord> record;
  std::string_view damage;
  if (reader.is_in_memory()) {
    record = trusted_record_at(reader.image().subspan(offset), position);
  } else {
    auto& copy = found.bytes;
    copy.resize(std::min<std::uint64_t>(kRecordGuess, end - offset));
    if (auto done = reader.read(offset, copy, here); !done) return std::unexpected(done.error());
    std::uint32_t length = 0;
    std::memcpy(&length, copy.data() + offsetof(RecordHeader, length), sizeof(length));
    if (const auto whole = record_bytes(length); whole > copy.size() && whole <= end - offset) {
      copy.resize(whole);
      if (auto done = reader.read(offset, copy, here); !done) return std::unexpected(done.error());
    }
    record = record_at(copy, position, reader.seed(), damage);
  }
  if (!record) return reader.damaged(offset, here, "an event " + std::string(damage));
  // A tracking record knows the position before it: in the event's place it would pass for it.
  if (record->kind != RecordKind::kEvent)
    return reader.damaged(offset, here, "another record lies in an event's place");
  found.record = *record;
  return found;
}

bool BatchFiller::add(const Found& found) {
  auto record = found.record;
  if (!fits(record.payload.size())) return false;
  const auto bytes = pack(record.payload.size());
  std::memcpy(bytes.data(), record.payload.data(), bytes.size());
  record.payload = bytes;
  batch_.stored.push_back(stored_of(record, found.committed));
  return true;
}

Result<bool> BatchFiller::add_one(SegmentReader& reader, Position position) {
  auto located = locate(reader, position);
  if (!located) return std::unexpected(located.error());
  auto found = read(reader, *located);
  if (!found) return std::unexpected(found.error());
  return add(*found);
}

}  // namespace esdb::storage
