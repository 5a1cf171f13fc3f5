#include "storage/footer.h"

#include <algorithm>
#include <cstring>

#include "storage/check.h"

namespace esdb::storage {
namespace {

// `bytes`: of the file from `begins` on.
void lay_table(std::span<std::byte> bytes, std::uint64_t begins, FooterBlockPlace place,
               std::uint64_t seed, std::span<const std::byte> entries, std::size_t entry_bytes) {
  const auto per_block = kFooterPayloadBytes / entry_bytes * entry_bytes;
  for (; !entries.empty(); place.offset += kFooterBlockBytes) {
    const auto block = bytes.subspan(place.offset - begins, kFooterBlockBytes);
    const auto part = entries.first(std::min(per_block, entries.size()));
    std::memcpy(block.data(), part.data(), part.size());
    std::memset(block.data() + part.size(), 0, kFooterPayloadBytes - part.size());
    const auto checksum = checksum_of_footer_block(block.first(kFooterPayloadBytes), place, seed);
    std::memcpy(block.data() + kFooterPayloadBytes, &checksum, sizeof(checksum));
    entries = entries.subspan(part.size());
  }
}

}  // namespace

void lay_tables(std::span<std::byte> bytes, const FooterPlan& plan, const SegmentHeader& header,
                const FooterTables& tables) {
  ESDB_CHECK(bytes.size() == plan.tail_block_at - plan.begins);
  const auto lay = [&](std::uint64_t at, std::span<const std::byte> entries, std::size_t size) {
    lay_table(bytes, plan.begins, {header.number, at}, header.seed, entries, size);
  };
  lay(plan.offsets_at, tables.offsets, sizeof(std::uint32_t));
  lay(plan.ids_at, tables.ids, sizeof(FooterId));
  lay(plan.frames_at, tables.frames, sizeof(FooterFrame));
}

FooterTail tail_of(const OpenSegment& segment) {
  const auto& header = segment.header();
  const auto plan = footer_plan(header.segment_bytes, header.block_bytes,
                                {segment.event_count(), segment.frame_count()});
  FooterTail tail;
  tail.segment = header.number;
  tail.first_position = segment.before().last.value + 1;
  tail.first_frame = segment.before().frame_number + 1;
  tail.event_count = segment.event_count();
  tail.frame_count = segment.frame_count();
  tail.frames_end = static_cast<std::uint32_t>(segment.used());
  tail.unit_bytes = header.unit_bytes;
  tail.first_commit_time =
      segment.frame_count() > 0 ? segment.frame_entry(0).commit_time : segment.commit_time();
  tail.last_commit_time = segment.commit_time();
  tail.first_epoch_id = segment.before().epoch_id;
  tail.last_epoch_id = segment.epoch_id();
  tail.offsets_at = plan.offsets_at;
  tail.ids_at = plan.ids_at;
  tail.frames_at = plan.frames_at;
  tail.checksum = checksum_of(tail, header.seed);
  return tail;
}

IoResult<FooterTail> write_footer(OpenSegment& segment) {
  const auto& header = segment.header();
  const auto plan = footer_plan(header.segment_bytes, header.block_bytes,
                                {segment.event_count(), segment.frame_count()});
  ESDB_CHECK(segment.used() <= plan.begins);
  const auto image = segment.writable_image();
  const auto tables = image.subspan(plan.begins, plan.tail_block_at - plan.begins);
  lay_tables(tables, plan, header,
             {.offsets = segment.bytes_of_offsets(),
              .ids = segment.bytes_of_ids(),
              .frames = segment.bytes_of_frames()});
  const auto tail = tail_of(segment);
  std::memcpy(image.data() + plan.tail_at, &tail, sizeof(tail));
  if (!tables.empty())
    if (auto written = segment.file().write_durable(plan.begins, tables); !written)
      return std::unexpected(written.error());
  if (auto written =
          segment.file().write_durable(plan.tail_block_at, image.subspan(plan.tail_block_at));
      !written)
    return std::unexpected(written.error());
  return tail;
}

bool is_sound(const FooterBlock& block, FooterBlockPlace place, std::uint64_t seed) {
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, block.data() + kFooterPayloadBytes, sizeof(checksum));
  return checksum ==
         checksum_of_footer_block(std::span(block).first(kFooterPayloadBytes), place, seed);
}

}  // namespace esdb::storage
