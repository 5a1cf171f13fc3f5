#include "storage/segment_file.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

#include "storage/aligned_bytes.h"
#include "storage/check.h"
#include "storage/sabotage.h"

namespace esdb::storage {
namespace {

constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kDigits = 8;

bool is_power(std::uint64_t n) { return n != 0 && (n & (n - 1)) == 0; }

// What no header of ours says: sizes that the arithmetic elsewhere relies upon.
bool has_sound_sizes(const SegmentHeader& header) {
  return is_power(header.segment_bytes) && is_power(header.block_bytes) &&
         is_power(header.unit_bytes) && header.unit_bytes <= header.block_bytes &&
         header.unit_bytes >= sizeof(FrameHeader) && header.number != 0 &&
         header.segment_bytes >= kSegmentBytesFloor &&
         header.segment_bytes <= (std::uint64_t{1} << 31) &&
         8 * std::uint64_t{header.block_bytes} <= header.segment_bytes;
}

// The same of a footer: its tables lie as a writer lays them, and behind the frames.
bool has_sound_places(const FooterTail& tail, std::uint64_t file_bytes) {
  return tail.first_frame != 0 && tail.first_position != 0 && is_power(tail.unit_bytes) &&
         tail.frames_end <= tail.offsets_at && tail.offsets_at < file_bytes &&
         tail.offsets_at % kFooterBlockBytes == 0 &&
         tail.ids_at == tail.offsets_at + table_bytes(tail.event_count, kOffsetsPerBlock) &&
         tail.frames_at == tail.ids_at + table_bytes(tail.event_count, kIdsPerBlock) &&
         tail.frames_at + table_bytes(tail.frame_count, kFramesPerBlock) <=
             file_bytes - kFooterBlockBytes;
}

}  // namespace

std::string segment_name(std::uint32_t number) {
  char text[16] = {};
  std::snprintf(text, sizeof(text), "%08x.seg", number);
  return text;
}

std::optional<std::uint32_t> parse_segment_name(std::string_view name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint32_t number = 0;
  const auto* end = name.data() + kDigits;
  const auto parsed = std::from_chars(name.data(), end, number, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end || segment_name(number) != name)
    return std::nullopt;
  return number;
}

SegmentMaking::SegmentMaking(Io& io, std::string directory, const SegmentHeader& header)
    : io_(io),
      directory_(std::move(directory)),
      header_(header),
      path_(directory_ + "/" + segment_name(header.number)) {
  header_.checksum = checksum_of(header_);
  ESDB_CHECK(has_sound_sizes(header_));
}

SegmentMaking::~SegmentMaking() {
  if (!file_) return;
  // Should that fail, the next attempt replaces it.
  [[maybe_unused]] const auto removed = io_.remove(path_);
}

IoResult<void> SegmentMaking::begin() {
  auto exists = io_.exists(path_);
  if (!exists) return std::unexpected(exists.error());
  if (*exists)
    if (auto removed = io_.remove(path_); !removed) return removed;
  auto file = io_.open(path_, OpenMode::kCreate);
  if (!file) return std::unexpected(file.error());
  file_ = std::move(*file);
  if (auto locked = file_->lock(LockMode::kExclusive, {}); !locked)
    return std::unexpected(locked.error());
  return file_->reserve(header_.segment_bytes);
}

IoResult<void> SegmentMaking::finish() {
  if (auto synced = file_->sync(); !synced) return synced;
  AlignedBytes block(header_.block_bytes);
  std::memcpy(block.bytes().data(), &header_, sizeof(header_));
  if (auto written = file_->write_durable(0, block.bytes()); !written) return written;
  if (sabotaged(Sabotage::kNoDirectorySync)) return {};
  return io_.sync_directory(directory_);
}

IoResult<std::unique_ptr<File>> SegmentMaking::step(std::uint64_t slice_bytes) {
  if (!file_)
    if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  const auto end = std::min(zeroed_ + slice_bytes, header_.segment_bytes);
  if (auto zeroed = file_->allocate_zeroed(end); !zeroed) return std::unexpected(zeroed.error());
  zeroed_ = end;
  if (zeroed_ < header_.segment_bytes) return std::unique_ptr<File>();
  if (auto finished = finish(); !finished) return std::unexpected(finished.error());
  return std::move(file_);
}

IoResult<std::unique_ptr<File>> make_segment(Io& io, const std::string& directory,
                                             SegmentHeader& header) {
  SegmentMaking making(io, directory, header);
  header = making.header();
  return making.step(header.segment_bytes);
}

IoResult<std::optional<SegmentHeader>> read_segment_header(File& file) {
  // From the device: after a failed write the page cache may show a header that is nowhere else.
  AlignedBytes block(AlignedBytes::kAlignment);
  auto count = file.read_device(0, block.bytes());
  if (!count) return std::unexpected(count.error());
  SegmentHeader header;
  std::memcpy(&header, block.bytes().data(), sizeof(header));
  if (*count < sizeof(header) || header.magic != kSegmentMagic ||
      header.checksum != checksum_of(header) || !has_sound_sizes(header))
    return std::nullopt;
  return header;
}

IoResult<std::optional<FooterTail>> read_footer_tail(File& file, std::uint32_t number,
                                                     std::uint64_t seed) {
  auto size = file.size();
  if (!size) return std::unexpected(size.error());
  if (*size < kFooterBlockBytes) return std::nullopt;
  FooterTail tail;
  auto count = file.read(*size - kFooterBlockBytes, std::as_writable_bytes(std::span(&tail, 1)));
  if (!count) return std::unexpected(count.error());
  if (*count < sizeof(tail) || tail.magic != kFooterMagic || tail.segment != number ||
      tail.checksum != checksum_of(tail, seed))
    return std::nullopt;
  // Of a later format it is only asked which.
  if (tail.format == kFormatVersion && !has_sound_places(tail, *size)) return std::nullopt;
  return tail;
}

std::optional<Witness> witness_in(std::span<const std::byte> bytes, const SegmentHeader& header) {
  Witness witness;
  if (bytes.size() < sizeof(witness)) return std::nullopt;
  std::memcpy(&witness, bytes.data(), sizeof(witness));
  const bool is_sound = witness.magic == kWitnessMagic && witness.segment == header.number &&
                        witness.checksum == checksum_of(witness, header.seed);
  return is_sound ? std::optional(witness) : std::nullopt;
}

IoResult<std::optional<FoundWitness>> read_witness(File& file, const SegmentHeader& header) {
  AlignedBytes block(header.block_bytes);
  std::optional<FoundWitness> newest;
  for (unsigned which = 0; which < 2; ++which) {
    auto count = file.read_device(witness_at(header.block_bytes, which), block.bytes());
    if (!count) return std::unexpected(count.error());
    const auto witness = witness_in(block.bytes().first(*count), header);
    if (witness && (!newest || witness->sequence > newest->witness.sequence))
      newest = FoundWitness{*witness, which};
  }
  return newest;
}

IoResult<void> write_witness(File& file, const SegmentHeader& header, unsigned which,
                             Witness witness) {
  ESDB_CHECK(which < 2);
  witness.segment = header.number;
  witness.checksum = checksum_of(witness, header.seed);
  AlignedBytes block(header.block_bytes);
  std::memcpy(block.bytes().data(), &witness, sizeof(witness));
  return file.write_durable(witness_at(header.block_bytes, which), block.bytes());
}

}  // namespace esdb::storage
