// Footers: written when a segment is sealed, read block by block ever after (and built anew from
// the frames where a table rots: footer_mending.h).
//
// Tables first, and durable before the tail is written: a tail proves them. A crash in between
// leaves a segment without a tail, which is read whole and sealed again.
//
// Threads: functions; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "storage/format.h"
#include "storage/io.h"
#include "storage/open_segment.h"

namespace esdb::storage {

// Of a full segment; durable when it returns.
IoResult<FooterTail> write_footer(OpenSegment& segment);
FooterTail tail_of(const OpenSegment& segment);

// The tables' entries, as they lie in memory.
struct FooterTables {
  std::span<const std::byte> offsets{};
  std::span<const std::byte> ids{};
  std::span<const std::byte> frames{};
};
// Lays them out in blocks. `bytes`: of the file, from plan.begins to plan.tail_block_at.
void lay_tables(std::span<std::byte> bytes, const FooterPlan& plan, const SegmentHeader& header,
                const FooterTables& tables);

// Where an entry of a table stands.
struct FooterEntryPlace {
  std::uint64_t block_at{};  // in the file
  std::size_t within{};      // bytes into the block
};
constexpr FooterEntryPlace footer_place(std::uint64_t table_at, std::size_t index,
                                        std::size_t entry_bytes) {
  const auto per_block = kFooterPayloadBytes / entry_bytes;
  return {table_at + index / per_block * kFooterBlockBytes, index % per_block * entry_bytes};
}

using FooterBlock = std::array<std::byte, kFooterBlockBytes>;
bool is_sound(const FooterBlock& block, FooterBlockPlace place, std::uint64_t seed);

}  // namespace esdb::storage
