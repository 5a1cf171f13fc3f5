#include "tests/fuzz/damaged_store.h"

#include <algorithm>
#include <cstring>

#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "storage/footer.h"
#include "storage/frame_check.h"
#include "storage/segment_file.h"
#include "tests/fixtures/simulated_io.h"

namespace esdb::fuzz {
namespace {

constexpr std::size_t kSegmentBytes = storage::kSegmentBytesFloor;
constexpr std::size_t kChangesMax = 24;
constexpr std::size_t kFilesMax = 6;

template <class T>
T at(const Bytes& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}
template <class T>
void put(Bytes& bytes, std::size_t offset, const T& value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

EventId id_of(std::size_t number) { return EventId::derive({}, number); }

bool makes_room(storage::Log& log, storage::Io& io, std::size_t bytes, std::size_t events) {
  for (int attempt = 0; !log.has_room(bytes, events); ++attempt) {
    if (attempt == 3) return false;
    auto did = log.background_step(io.steady());
    while (did && *did) did = log.background_step(io.steady());
    if (!did || log.roll() == storage::Log::Rolled::kDiskFull) return false;
  }
  return true;
}

void write(storage::Log& log, const storage::FrameWrite& write) {
  ESDB_CHECK(write.file->write_durable(write.offset, write.bytes).has_value());
  log.complete(write.frame_number);
}

using Versions = std::map<std::string, std::uint64_t, std::less<>>;

storage::FrameWrite place(storage::Log& log, storage::Io& io, const Appending& appending,
                          Versions& versions) {
  log.begin_frame(io.now());
  auto left = appending.tracking.size() + appending.events.size();
  for (const auto& [source, position] : appending.tracking)
    log.add_tracking(source, position, --left == 0);
  for (std::size_t i = 0; i < appending.events.size(); ++i) {
    const auto& encoded = appending.events[i];
    log.add_event({.encoded = encoded,
                   .hash = protocol::hash_of(encoded),
                   .id = protocol::id_of(encoded),
                   .fingerprint = protocol::fingerprint_of(encoded),
                   .version = ++versions[std::string(protocol::stream_of(encoded))],
                   .ordinal = static_cast<std::uint32_t>(i),
                   .ends_commit = --left == 0});
  }
  return log.end_frame().write;
}

// So many appends, of a few streams and of sizes that differ.
void append_some(storage::Log& log, storage::Io& io, std::size_t count, std::vector<Bytes>& all,
                 Versions& versions) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = all.size();
    Appending appending;
    for (std::size_t k = 0; k < 1 + number % 3; ++k)
      appending.events.push_back(encoded_event(
          "s-" + std::to_string((number + k) % 4),
          std::string(number % 4 * 1100, static_cast<char>('a' + k)), id_of(number + k)));
    if (number % 5 == 0) appending.tracking["source"] = number + 1;
    ESDB_CHECK(append(log, io, appending, versions));
    all.insert(all.end(), appending.events.begin(), appending.events.end());
  }
}

void run_background(storage::Log& log, storage::Io& io) {
  while (log.background_step(io.steady() + std::chrono::hours(1)).value()) continue;
}

WholeStore make_store(std::size_t appends, bool closes) {
  fixtures::SimulatedIo io({}, appends);
  WholeStore store;
  auto log = storage::open_log(io, log_options(Access::kReadWrite)).value();
  Versions versions;
  append_some(*log, io, appends / 2, store.events, versions);
  run_background(*log, io);
  ESDB_CHECK(log->close().has_value());
  log.reset();
  log = storage::open_log(io, log_options(Access::kReadWrite)).value();  // an epoch
  append_some(*log, io, appends - appends / 2, store.events, versions);
  if (closes) {
    run_background(*log, io);
    ESDB_CHECK(log->close().has_value());
  } else {
    // Killed in the middle of a frame's write.
    log->acknowledged(io.steady());
    const auto torn =
        place(*log, io, {.events = {encoded_event("s", std::string(900, 'u'), id_of(1'000'000))}},
              versions);
    ESDB_CHECK(torn.file->write_durable(torn.offset, torn.bytes.first(512)).has_value());
  }
  log.reset();
  const auto names = io.list("store/log").value();
  for (const auto& name : names) {
    auto file = io.open("store/log/" + name, storage::OpenMode::kRead).value();
    auto& bytes = store.files[storage::parse_segment_name(name).value()];
    bytes.resize(file->size().value());
    ESDB_CHECK(file->read(0, bytes) == bytes.size());
  }
  return store;
}

Bytes* chosen(Files& files, std::uint8_t which) {
  if (files.empty()) return nullptr;
  auto at = files.begin();
  std::advance(at, which % files.size());
  return &at->second;
}

// The part of the range that lies in the file.
std::span<std::byte> part_of(Bytes& bytes, std::size_t offset, std::size_t count) {
  offset = std::min(offset, bytes.size());
  return std::span(bytes).subspan(offset, std::min(count, bytes.size() - offset));
}

void move_bytes(Files& files, Bytes& to, Input& input) {
  auto* from = chosen(files, input.take<std::uint8_t>());
  const auto source = part_of(*from, input.take<std::uint8_t>() * std::size_t{512},
                              (1 + input.take<std::uint8_t>() % 8) * std::size_t{512});
  const Bytes copied(source.begin(), source.end());
  const auto target = part_of(to, input.take<std::uint8_t>() * std::size_t{512}, copied.size());
  std::copy_n(copied.begin(), target.size(), target.begin());
}

void change(Files& files, Input& input) {
  const auto what = input.take<std::uint8_t>();
  const auto which = input.take<std::uint8_t>();
  auto* file = chosen(files, which);
  if (file == nullptr) return;
  switch (what % 8) {
    case 0: {  // written over
      const auto offset = input.take<std::uint16_t>();
      const auto bytes = input.bytes(input.take<std::uint8_t>());
      const auto target = part_of(*file, offset, bytes.size());
      std::copy_n(bytes.begin(), target.size(), target.begin());
      break;
    }
    case 1: {  // a lost write
      const auto range = part_of(*file, input.take<std::uint8_t>() * std::size_t{512},
                                 (1 + input.take<std::uint8_t>() % 16) * std::size_t{512});
      std::ranges::fill(range, std::byte{0});
      break;
    }
    case 2:  // a bit
    case 3: {
      const auto bit = input.take<std::uint8_t>();
      const auto range = part_of(*file, input.take<std::uint16_t>(), 1);
      if (!range.empty()) range[0] ^= std::byte{1} << (bit % 8);
      break;
    }
    case 4:  // a misdirected write
      move_bytes(files, *file, input);
      break;
    case 5:  // cut short, or longer
      file->resize(input.take<std::uint16_t>());
      break;
    case 6:  // gone
      files.erase(std::next(files.begin(), which % static_cast<std::ptrdiff_t>(files.size())));
      break;
    default: {  // copied in
      const auto number = std::uint32_t{input.take<std::uint8_t>() % 8U};
      if (files.size() < kFilesMax) files[number] = Bytes(*file);
    }
  }
}

void mend_frame(Bytes& bytes, std::size_t offset, const storage::SegmentHeader& segment) {
  auto header = at<storage::FrameHeader>(bytes, offset);
  const auto end = std::min<std::size_t>(bytes.size(), offset + header.length);
  auto next = offset + sizeof(header);
  if (header.kind == storage::FrameKind::kEpoch) {
    if (next + sizeof(storage::Uuid) > bytes.size()) return;
    header.records_checksum = storage::checksum_of_epoch_content(
        std::span(bytes).subspan(next, sizeof(storage::Uuid)), segment.seed);
  } else {
    header.records_checksum = segment.seed;
    std::uint32_t events = 0;
    for (std::uint32_t i = 0; i < header.record_count; ++i) {
      if (next + sizeof(storage::RecordHeader) > end) break;
      auto record = at<storage::RecordHeader>(bytes, next);
      const auto behind = next + storage::record_bytes(record.length);
      if (behind > end) break;
      const auto payload = std::span(bytes).subspan(next + sizeof(record), record.length);
      const bool is_event = storage::kind_of(record.marks) == storage::RecordKind::kEvent;
      const auto position = header.first_position + events - (is_event ? 0 : 1);
      if (!is_event || protocol::has_accepted_layout(payload))
        record.checksum = storage::checksum_of(record, storage::hash_of_bytes(payload),
                                               Position{position}, segment.seed);
      put(bytes, next, record);
      header.records_checksum = storage::next_records_checksum(header.records_checksum, record);
      events += is_event ? 1 : 0;
      next = behind;
    }
  }
  header.checksum = storage::checksum_of(header, segment.seed);
  put(bytes, offset, header);
}

void mend_footer(Bytes& bytes, const storage::SegmentHeader& segment) {
  if (bytes.size() < storage::kFooterBlockBytes) return;
  const auto tail_at = bytes.size() - storage::kFooterBlockBytes;
  auto tail = at<storage::FooterTail>(bytes, tail_at);
  if (tail.magic != storage::kFooterMagic) return;
  tail.checksum = storage::checksum_of(tail, segment.seed);
  put(bytes, tail_at, tail);
  if (tail.offsets_at % storage::kFooterBlockBytes != 0) return;
  for (auto block = tail.offsets_at; block < tail_at; block += storage::kFooterBlockBytes)
    put(bytes, block + storage::kFooterPayloadBytes,
        storage::checksum_of_footer_block(
            std::span(bytes).subspan(block, storage::kFooterPayloadBytes), {segment.number, block},
            segment.seed));
}

void mend_file(Bytes& bytes) {
  if (bytes.size() < sizeof(storage::SegmentHeader)) return;
  auto segment = at<storage::SegmentHeader>(bytes, 0);
  // Larger ones are the same but slower.
  if (segment.segment_bytes > 4 * kSegmentBytes) segment.segment_bytes = kSegmentBytes;
  segment.checksum = storage::checksum_of(segment);
  put(bytes, 0, segment);
  if (segment.block_bytes <= kSegmentBytes)
    for (unsigned which = 0; which < 2; ++which) {
      const auto offset = storage::witness_at(segment.block_bytes, which);
      if (offset + sizeof(storage::Witness) > bytes.size()) continue;
      auto witness = at<storage::Witness>(bytes, offset);
      if (witness.magic != storage::kWitnessMagic) continue;
      witness.checksum = storage::checksum_of(witness, segment.seed);
      put(bytes, offset, witness);
    }
  for (std::size_t at_unit = 0; at_unit + sizeof(storage::FrameHeader) <= bytes.size();
       at_unit += 512)
    if (at<std::uint32_t>(bytes, at_unit) == storage::kFrameMagic)
      mend_frame(bytes, at_unit, segment);
  mend_footer(bytes, segment);
}

}  // namespace

storage::LogOptions log_options(Access access) {
  return {.directory = "store",
          .access = access,
          .segment_bytes = kSegmentBytes,
          .append_bytes_max = kSegmentBytes / 4};
}

Bytes encoded_event(std::string_view stream, std::string_view data, const EventId& id) {
  Bytes bytes;
  protocol::encode({.id = id, .stream = stream, .type = "Happened", .data = data}, bytes);
  return bytes;
}

bool append(storage::Log& log, storage::Io& io, const Appending& appending,
            std::map<std::string, std::uint64_t, std::less<>>& versions) {
  std::size_t bytes = 4096;  // frames' headers and gaps, an epoch's frame
  for (const auto& encoded : appending.events) bytes += log.content_bytes(encoded.size());
  for (const auto& [source, position] : appending.tracking)
    bytes += log.content_bytes(8 + source.size());
  if (!makes_room(log, io, bytes, appending.events.size())) return false;
  if (log.needs_epoch()) write(log, log.place_epoch().write);
  write(log, place(log, io, appending, versions));
  log.acknowledged(io.steady());
  return true;
}

const std::vector<WholeStore>& whole_stores() {
  static const std::vector<WholeStore> stores{make_store(14, true), make_store(9, false),
                                              make_store(2, true), make_store(5, true)};
  return stores;
}

void damage(Files& files, Input& input) {
  for (std::size_t i = 0; i < kChangesMax && !input.empty(); ++i) change(files, input);
}

void mend_checksums(Files& files) {
  for (auto& [number, bytes] : files) mend_file(bytes);
}

void put_files(const Files& files, storage::Io& io) {
  ESDB_CHECK(io.make_directory("store/log").has_value());
  for (const auto& [number, bytes] : files) {
    auto file = io.open("store/log/" + storage::segment_name(number), storage::OpenMode::kCreate);
    ESDB_CHECK(file.has_value() && (*file)->write_durable(0, bytes).has_value());
  }
}

Records::Records(const Files& files) {
  for (const auto& [number, bytes] : files)
    for (std::size_t offset = 0; offset + sizeof(storage::RecordHeader) <= bytes.size();
         offset += 8) {
      const auto length = at<std::uint32_t>(bytes, offset);
      if (length == 0 || length > bytes.size() - offset - sizeof(storage::RecordHeader)) continue;
      const auto marks = at<storage::RecordHeader>(bytes, offset).marks;
      if (storage::kind_of(marks) != storage::RecordKind::kEvent) continue;
      by_length_.emplace(length, std::span(bytes).subspan(offset));
    }
}

bool Records::hold(const RecordedEvent::Stored& event, std::uint64_t seed) const {
  const auto [begin, end] =
      by_length_.equal_range(static_cast<std::uint32_t>(event.encoded.size()));
  return std::any_of(begin, end, [&](const auto& entry) {
    storage::RecordHeader record;
    std::memcpy(&record, entry.second.data(), sizeof(record));
    const auto payload = entry.second.subspan(sizeof(record), event.encoded.size());
    return record.version == event.version.value &&
           std::memcmp(payload.data(), event.encoded.data(), payload.size()) == 0 &&
           record.checksum ==
               storage::checksum_of(record, storage::hash_of_bytes(payload), event.position, seed);
  });
}

}  // namespace esdb::fuzz
