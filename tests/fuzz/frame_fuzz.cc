// Frames from any bytes. What the decoder accepts is, bit for bit, what the encoder makes of what
// was read; and with any one bit of it turned round it is accepted no more.
//
//   mode, unit | two bytes: the bit to turn | the frame
//
// In one mode sizes and checksums are filled in as a writer would, so that what lies behind them is
// reached.
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "storage/check.h"
#include "storage/frame_check.h"
#include "tests/fuzz/input.h"

namespace esdb::storage {
namespace {

constexpr std::uint8_t kMend = 1;
constexpr std::uint8_t kEndCommit = 2;
constexpr std::uint8_t kLargeUnits = 4;
constexpr std::size_t kFrameMax = std::size_t{16} << 10;

template <class T>
T at(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}
template <class T>
void put(std::span<std::byte> bytes, std::size_t offset, const T& value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

// Turns records of any lengths into such as have room, with their checksums.
void mend_records(std::vector<std::byte>& bytes, FrameHeader& header, const FramePlace& place,
                  std::uint8_t mode) {
  header.record_count = header.event_count = 0;
  header.records_checksum = place.seed;
  std::size_t offset = sizeof(FrameHeader);
  while (offset + sizeof(RecordHeader) <= bytes.size()) {
    auto record = at<RecordHeader>(bytes, offset);
    const auto room = bytes.size() - offset - sizeof(RecordHeader);
    record.length = static_cast<std::uint32_t>(std::min<std::size_t>(record.length % 512, room));
    const auto next = offset + record_bytes(record.length);
    if (next > bytes.size()) break;
    const bool is_event = kind_of(record.marks) == RecordKind::kEvent;
    const bool is_last = next + sizeof(RecordHeader) > bytes.size();
    if (is_last && (mode & kEndCommit) != 0) record.marks |= kMarkEndsCommit;
    const auto payload = std::span(bytes).subspan(offset + sizeof(RecordHeader), record.length);
    const auto behind = payload.size() + offset + sizeof(RecordHeader);
    std::memset(bytes.data() + behind, 0, next - behind);
    const auto before = header.first_position + header.event_count - 1;
    record.checksum = checksum_of(record, hash_of_bytes(payload),
                                  Position{is_event ? before + 1 : before}, place.seed);
    put(bytes, offset, record);
    header.records_checksum = next_records_checksum(header.records_checksum, record);
    ++header.record_count;
    header.event_count += is_event ? 1 : 0;
    offset = next;
  }
  header.length = static_cast<std::uint32_t>(offset);
}

void mend(std::vector<std::byte>& bytes, const FramePlace& place, std::uint8_t mode) {
  if (bytes.size() < sizeof(FrameHeader)) bytes.resize(sizeof(FrameHeader));
  auto header = at<FrameHeader>(bytes, 0);
  header.magic = kFrameMagic;
  header.segment = place.segment;
  header.offset = static_cast<std::uint32_t>(place.offset);
  if (header.kind == FrameKind::kEpoch) {
    bytes.resize(sizeof(FrameHeader) + sizeof(Uuid));
    header.length = static_cast<std::uint32_t>(bytes.size());
    header.record_count = header.event_count = 0;
    header.records_checksum =
        checksum_of_epoch_content(std::span(bytes).subspan(sizeof(FrameHeader)), place.seed);
  } else {
    header.kind = FrameKind::kCommits;
    mend_records(bytes, header, place, mode);
  }
  header.checksum = checksum_of(header, place.seed);
  put(bytes, 0, header);
  bytes.resize(header.length);
}

// The frame as a writer lays it out: from what was read, and the header's own statements.
std::vector<std::byte> encoded(const FrameHeader& read, std::span<const std::byte> epoch_content,
                               const std::vector<ScannedRecord>& records, const FramePlace& place) {
  std::vector<std::byte> bytes(sizeof(FrameHeader));
  FrameHeader header = read;
  header.record_count = header.event_count = 0;
  header.records_checksum = place.seed;
  for (const auto& record : records) {
    RecordHeader made{.length = static_cast<std::uint32_t>(record.payload.size()),
                      .marks = static_cast<std::uint32_t>(record.kind) |
                               (record.ends_commit ? kMarkEndsCommit : 0) | record.ordinal << 8,
                      .version = record.version.value,
                      .previous = record.previous.value};
    made.checksum = checksum_of(made, hash_of_bytes(record.payload), record.position, place.seed);
    const auto offset = bytes.size();
    bytes.resize(offset + record_bytes(record.payload.size()));
    put(bytes, offset, made);
    if (!record.payload.empty())
      std::memcpy(bytes.data() + offset + sizeof(made), record.payload.data(),
                  record.payload.size());
    header.records_checksum = next_records_checksum(header.records_checksum, made);
    ++header.record_count;
    header.event_count += record.kind == RecordKind::kEvent ? 1 : 0;
  }
  if (read.kind == FrameKind::kEpoch) {
    bytes.insert(bytes.end(), epoch_content.begin(), epoch_content.end());
    header.records_checksum = checksum_of_epoch_content(epoch_content, place.seed);
  }
  header.length = static_cast<std::uint32_t>(bytes.size());
  header.checksum = checksum_of(header, place.seed);
  put(bytes, 0, header);
  bytes.resize(frame_bytes(header, place.unit_bytes));
  return bytes;
}

bool is_accepted(std::span<const std::byte> bytes, const FramePlace& place,
                 std::vector<ScannedRecord>& records) {
  const auto header = frame_header_at(bytes, place);
  return header && frame_bytes(*header, place.unit_bytes) == bytes.size() &&
         check_content(*header, bytes, place, records).empty();
}

void check_frame(fuzz::Input input) {
  const auto mode = input.take<std::uint8_t>();
  const auto turned = input.take<std::uint16_t>();
  const FramePlace place{.segment = 3,
                         .offset = 12'288,
                         .seed = 0x5eed'5eed'5eed'5eed,
                         .unit_bytes = (mode & kLargeUnits) != 0 ? 4096U : 512U};
  static std::vector<std::byte> bytes;
  const auto given = input.bytes(kFrameMax);
  bytes.assign(given.begin(), given.end());
  if ((mode & kMend) != 0) mend(bytes, place, mode);
  bytes.resize(padded(bytes.size(), place.unit_bytes));

  const auto header = frame_header_at(bytes, place);
  if (!header) return;
  const auto size = frame_bytes(*header, place.unit_bytes);
  if (size > bytes.size()) return;
  static std::vector<ScannedRecord> records, others;
  const auto frame = std::span(bytes).first(size);
  if (!check_content(*header, frame, place, records).empty()) return;

  const auto content = frame.subspan(sizeof(FrameHeader), header->length - sizeof(FrameHeader));
  const auto made = encoded(*header, content, records, place);
  ESDB_CHECK(made.size() == frame.size() &&
             std::memcmp(made.data(), frame.data(), frame.size()) == 0);
  const auto mark = mark_of(*header);
  ESDB_CHECK(mark.frame_number == header->frame_number &&
             mark.last.value == header->first_position + header->event_count - 1);

  const auto bit = std::byte{1} << (turned % 8);
  frame[turned / 8 % frame.size()] ^= bit;
  ESDB_CHECK(!is_accepted(frame, place, others));
}

}  // namespace
}  // namespace esdb::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::storage::check_frame({data, size});
  return 0;
}
