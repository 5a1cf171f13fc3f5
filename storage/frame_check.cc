#include "storage/frame_check.h"

#include <algorithm>
#include <cstring>

#include "storage/check.h"

namespace esdb::storage {
namespace {

constexpr std::uint32_t kMarksKnown = 0xf | kMarkEndsCommit | ~std::uint32_t{0xff};

template <class T>
T copy_of(std::span<const std::byte> bytes) {
  ESDB_CHECK(bytes.size() >= sizeof(T));
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

ScannedRecord scanned(const RecordHeader& header, std::span<const std::byte> payload,
                      Position position) {
  return {.kind = kind_of(header.marks),
          .position = position,
          .version = header.version,
          .previous = header.previous,
          .ordinal = ordinal_of(header.marks),
          .ends_commit = ends_commit(header.marks),
          .payload = payload};
}

std::string check_epoch_content(const FrameHeader& header, std::span<const std::byte> content,
                                std::uint64_t seed) {
  if (header.record_count != 0 || header.event_count != 0 || content.size() != sizeof(Uuid))
    return "its epoch frame has another form";
  if (header.records_checksum != checksum_of_epoch_content(content, seed))
    return "its content fails its checksum";
  return "";
}

}  // namespace

bool all_zero(std::span<const std::byte> bytes) {
  constexpr std::size_t kWords = 64;
  const auto* at = bytes.data();
  auto left = bytes.size();
  for (; left >= kWords; at += kWords, left -= kWords) {
    std::uint64_t words[kWords / 8];
    std::memcpy(words, at, kWords);
    std::uint64_t any = 0;
    for (auto word : words) any |= word;
    if (any != 0) return false;
  }
  return std::all_of(at, at + left, [](std::byte b) { return b == std::byte{0}; });
}

std::optional<FrameHeader> frame_header_at(std::span<const std::byte> bytes,
                                           const FramePlace& place) {
  if (bytes.size() < sizeof(FrameHeader)) return std::nullopt;
  const auto header = copy_of<FrameHeader>(bytes);
  const bool ours = header.magic == kFrameMagic && header.segment == place.segment &&
                    header.offset == place.offset && header.length >= sizeof(FrameHeader) &&
                    header.checksum == checksum_of(header, place.seed);
  return ours ? std::optional(header) : std::nullopt;
}

std::string check_follows(const FrameHeader& header, const FrameExpected& expected,
                          const Uuid& parent_epoch_id) {
  if (header.frame_number != expected.frame_number)
    return "it is frame " + std::to_string(header.frame_number) + ", not " +
           std::to_string(expected.frame_number);
  if (header.first_position != expected.first_position.value)
    return "it begins at position " + std::to_string(header.first_position) + ", not " +
           std::to_string(expected.first_position.value);
  const auto& follows = header.kind == FrameKind::kEpoch ? parent_epoch_id : header.epoch_id;
  if (follows != expected.epoch_id) return "it belongs to another epoch";
  if (header.commit_time < expected.commit_time_min) return "its commit time goes back";
  if (header.durable_frame >= header.frame_number) return "it claims itself durable";
  return "";
}

std::size_t frame_bytes(const FrameHeader& header, std::uint32_t unit_bytes) {
  return padded(header.length, unit_bytes);
}

std::string check_content(const FrameHeader& header, std::span<const std::byte> bytes,
                          const FramePlace& place, std::vector<ScannedRecord>& records) {
  records.clear();
  ESDB_CHECK(bytes.size() == frame_bytes(header, place.unit_bytes));
  if (!all_zero(bytes.subspan(header.length))) return "the gap behind it is not zero";
  auto content = bytes.subspan(sizeof(FrameHeader), header.length - sizeof(FrameHeader));
  if (header.kind == FrameKind::kEpoch) return check_epoch_content(header, content, place.seed);
  if (header.kind != FrameKind::kCommits) return "its kind is unknown";
  std::uint64_t checksum = place.seed;
  std::uint32_t events = 0;
  for (std::uint32_t i = 0; i < header.record_count; ++i) {
    std::string_view damage;
    // A tracking record has the last position before it.
    const bool is_event = content.size() >= sizeof(RecordHeader) &&
                          kind_of(copy_of<RecordHeader>(content).marks) == RecordKind::kEvent;
    const auto before = header.first_position + events - 1;
    const auto record =
        record_at(content, Position{is_event ? before + 1 : before}, place.seed, damage);
    if (!record) return "record " + std::to_string(i) + " " + std::string(damage);
    checksum = next_records_checksum(checksum, copy_of<RecordHeader>(content));
    events += is_event ? 1 : 0;
    records.push_back(*record);
    content = content.subspan(record_bytes(record->payload.size()));
  }
  if (!content.empty()) return "bytes lie behind its last record";
  if (events != header.event_count) return "its events are not those its header counts";
  if (records.empty() || !records.back().ends_commit) return "its last commit does not end";
  if (checksum != header.records_checksum) return "its record headers fail their checksum";
  return "";
}

Uuid parent_epoch_of(std::span<const std::byte> frame) {
  return copy_of<Uuid>(frame.subspan(sizeof(FrameHeader)));
}

FrameMark mark_of(const FrameHeader& header) {
  return {.frame_number = header.frame_number,
          .last = header.first_position + header.event_count - 1,
          .checksum = header.checksum,
          .epoch_id = header.epoch_id,
          .committed = Time{std::chrono::nanoseconds{header.commit_time}}};
}

std::optional<ScannedRecord> record_at(std::span<const std::byte> bytes, Position position,
                                       std::uint64_t seed, std::string_view& damage) {
  const auto refuse = [&](std::string_view why) {
    damage = why;
    return std::nullopt;
  };
  if (bytes.size() < sizeof(RecordHeader)) return refuse("is cut short");
  const auto header = copy_of<RecordHeader>(bytes);
  const auto kind = kind_of(header.marks);
  if (kind != RecordKind::kEvent && kind != RecordKind::kTracking) return refuse("is no record");
  if ((header.marks & ~kMarksKnown) != 0) return refuse("has unknown marks");
  if (bytes.size() < record_bytes(header.length)) return refuse("is longer than what holds it");
  const auto payload = bytes.subspan(sizeof(RecordHeader), header.length);
  if (checksum_of(header, hash_of_bytes(payload), position, seed) != header.checksum)
    return refuse("fails its checksum");
  const auto padding = bytes.subspan(sizeof(RecordHeader) + header.length)
                           .first(padded(header.length, 8) - header.length);
  if (!all_zero(padding)) return refuse("is padded with more than zeros");
  return scanned(header, payload, position);
}

ScannedRecord trusted_record_at(std::span<const std::byte> bytes, Position position) {
  const auto header = copy_of<RecordHeader>(bytes);
  ESDB_CHECK(bytes.size() >= record_bytes(header.length));
  return scanned(header, bytes.subspan(sizeof(RecordHeader), header.length), position);
}

}  // namespace esdb::storage
