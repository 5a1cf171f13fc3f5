#include "storage/format.h"

#include <xxhash.h>

#include <cstring>

#include "storage/check.h"
#include "storage/sabotage.h"

namespace esdb::storage {
namespace {

// Of a struct whose last field is its checksum.
template <class T>
std::uint64_t checksum_of_fields(const T& value, std::uint64_t seed) {
  static_assert(offsetof(T, checksum) == sizeof(T) - sizeof(std::uint64_t));
  return XXH3_64bits_withSeed(&value, offsetof(T, checksum), seed);
}

}  // namespace

FooterPlan footer_plan(std::uint64_t segment_bytes, std::size_t block_bytes, FooterCounts counts) {
  const auto offsets = table_bytes(counts.events, kOffsetsPerBlock);
  const auto ids = table_bytes(counts.events, kIdsPerBlock);
  const auto frames = table_bytes(counts.frames, kFramesPerBlock);
  const auto tail = padded(kFooterBlockBytes, block_bytes);
  const auto all = padded(offsets + ids + frames, block_bytes) + tail;
  // Counts that no segment can hold: frames may then reach nowhere.
  if (all > segment_bytes) return {};
  FooterPlan plan;
  plan.begins = segment_bytes - all;
  plan.offsets_at = plan.begins;
  plan.ids_at = plan.offsets_at + offsets;
  plan.frames_at = plan.ids_at + ids;
  plan.tail_block_at = segment_bytes - tail;
  plan.tail_at = segment_bytes - kFooterBlockBytes;
  return plan;
}

std::uint64_t hash_of_bytes(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t checksum_of(const SegmentHeader& header) {
  return checksum_of_fields(header, header.seed);
}

std::uint64_t checksum_of(const Witness& witness, std::uint64_t seed) {
  return checksum_of_fields(witness, seed);
}

std::uint64_t checksum_of(const FrameHeader& header, std::uint64_t seed) {
  if (sabotaged(Sabotage::kChecksumWithoutHeader)) return header.records_checksum;
  return checksum_of_fields(header, sabotaged(Sabotage::kChecksumWithoutSeed) ? 0 : seed);
}

std::uint64_t checksum_of(const FooterTail& tail, std::uint64_t seed) {
  return checksum_of_fields(tail, seed);
}

std::uint64_t checksum_of(const RecordHeader& header, std::uint64_t payload_hash, Position position,
                          std::uint64_t seed) {
  struct {
    std::uint64_t payload_hash;
    std::array<std::byte, offsetof(RecordHeader, checksum)> fields;
    std::uint64_t position;
  } covered{payload_hash, {}, position.value};
  static_assert(sizeof(covered) == 40);
  std::memcpy(covered.fields.data(), &header, covered.fields.size());
  if (sabotaged(Sabotage::kChecksumWithoutSeed)) covered.position = seed = 0;
  return XXH3_64bits_withSeed(&covered, sizeof(covered), seed);
}

std::uint64_t next_records_checksum(std::uint64_t so_far, const RecordHeader& header) {
  return XXH3_64bits_withSeed(&header, sizeof(header), so_far);
}

std::uint64_t checksum_of_epoch_content(std::span<const std::byte> content, std::uint64_t seed) {
  return XXH3_64bits_withSeed(content.data(), content.size(), seed);
}

std::uint64_t checksum_of_footer_block(std::span<const std::byte> payload, FooterBlockPlace place,
                                       std::uint64_t seed) {
  ESDB_CHECK(payload.size() == kFooterPayloadBytes && place.offset % kFooterBlockBytes == 0);
  const std::array<std::uint64_t, 3> covered{XXH3_64bits(payload.data(), payload.size()),
                                             place.segment, place.offset};
  return XXH3_64bits_withSeed(covered.data(), sizeof(covered), seed);
}

}  // namespace esdb::storage
