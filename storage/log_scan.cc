// Log's sequential side: every frame in order, the newest ids.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "storage/footer.h"
#include "storage/gathered_reads.h"
#include "storage/log.h"
#include "storage/log_state.h"
#include "storage/segment_file.h"
#include "storage/segment_scan.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kIdSegmentsMax = 1000;
constexpr int kRoundsMax = 4;  // of reads, of one segment's tables

// Events of a segment that lie before a position.
std::size_t skipped_of(const SegmentReader& reader, Position from) {
  return from > reader.first() ? static_cast<std::size_t>(from.value - reader.first().value) : 0;
}

// The footer blocks that hold entries first..first + count of a table, read at once.
Result<std::vector<std::byte>> read_table(SegmentReader& reader, std::uint64_t table_at,
                                          std::size_t first, std::size_t count,
                                          std::size_t entry_bytes) {
  const auto per_block = kFooterPayloadBytes / entry_bytes;
  const auto first_block = first / per_block;
  const auto blocks = (first + count - 1) / per_block - first_block + 1;
  std::vector<std::byte> bytes(blocks * kFooterBlockBytes);
  const auto begin = table_at + first_block * kFooterBlockBytes;
  const Positions all{reader.first(), reader.last()};
  if (auto done = reader.read(begin, bytes, all); !done) return std::unexpected(done.error());
  std::vector<std::byte> entries;
  entries.reserve(count * entry_bytes);
  for (std::size_t block = 0; block < blocks; ++block) {
    FooterBlock one;
    std::memcpy(one.data(), bytes.data() + block * kFooterBlockBytes, one.size());
    const auto at = begin + block * kFooterBlockBytes;
    if (!is_sound(one, {reader.number(), at}, reader.seed()))
      return reader.damaged(at, all, "a block of its footer fails its checksum");
    const auto from = block == 0 ? first % per_block : 0;
    const auto here = std::min(per_block - from, count - entries.size() / entry_bytes);
    const auto part = std::span(one).subspan(from * entry_bytes, here * entry_bytes);
    entries.insert(entries.end(), part.begin(), part.end());
  }
  return entries;
}

Result<void> add_ids(SegmentReader& reader, const Segment& segment, std::size_t first,
                     std::vector<Log::RecentId>& ids) {
  const auto count = reader.events() - first;
  if (count == 0) return {};
  std::vector<std::byte> offsets, entries;
  const std::uint32_t* offset_at = nullptr;
  if (segment.sealed) {
    auto table = read_table(reader, segment.sealed->offsets_at, first, count, sizeof(*offset_at));
    if (!table) return std::unexpected(table.error());
    offsets = std::move(*table);
    table = read_table(reader, segment.sealed->ids_at, first, count, sizeof(FooterId));
    if (!table) return std::unexpected(table.error());
    entries = std::move(*table);
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t offset = 0;
    FooterId id;
    if (segment.sealed) {
      std::memcpy(&offset, offsets.data() + i * sizeof(offset), sizeof(offset));
      std::memcpy(&id, entries.data() + i * sizeof(id), sizeof(id));
    } else {
      offset = segment.open->offset_entry(first + i);
      id = segment.open->id_entry(first + i);
    }
    ids.push_back({.position = reader.first().value + first + i,
                   .id = {id.id},
                   .fingerprint = id.fingerprint,
                   .ends_commit = (offset & kOffsetEndsCommit) != 0});
  }
  return {};
}

// The same from the frames themselves.
Result<void> scan_ids(SegmentReader& reader, std::size_t first, std::vector<Log::RecentId>& ids) {
  const Position from = reader.first().value + first;
  auto index = reader.frame_of(from);
  if (!index) return std::unexpected(index.error());
  return scan_segment(
      reader, *index,
      [&](const ScannedFrame& frame, const FrameHeader&, std::span<const std::byte>) {
        for (const auto& record : frame.records)
          if (record.kind == RecordKind::kEvent && record.position >= from)
            ids.push_back({.position = record.position,
                           .id = protocol::id_of(record.payload),
                           .fingerprint = protocol::fingerprint_of(record.payload),
                           .ends_commit = record.ends_commit});
        return Result<void>{};
      });
}

// The ids of some segments, their tables read all at once. Empty: to be read alone.
std::vector<std::vector<Log::RecentId>> ids_at_once(std::span<SegmentReader> readers,
                                                    std::span<const Segment> segments,
                                                    Position from, RingPool& rings) {
  std::vector<std::vector<Log::RecentId>> ids(readers.size());
  const LentRing ring(rings, readers.size() > 1);
  if (ring.get() == nullptr) return ids;
  GatheredReads reads(*ring.get(), rings.in_flight());
  std::vector<std::size_t> left(readers.size());
  std::iota(left.begin(), left.end(), std::size_t{0});
  for (int round = 0; round < kRoundsMax && !left.empty(); ++round) {
    std::erase_if(left, [&](std::size_t i) {
      readers[i].gather(&reads);
      auto done = add_ids(readers[i], segments[i], skipped_of(readers[i], from), ids[i]);
      readers[i].gather(nullptr);
      return done || !reads.missed();
    });
    if (!reads.fetch()) break;
  }
  return ids;
}

}  // namespace

Result<void> Log::scan(std::uint64_t from_frame,
                       const std::function<Result<void>(const ScannedFrame&)>& each) const {
  const ReadScope scope(*this, *state_);
  std::uint64_t next = std::max(from_frame, scope.list().segments.front().first_frame);
  while (next <= scope.last_frame()) {
    auto reader = scope.reader(scope.list().of_frame(next));
    ESDB_CHECK(next - reader.first_frame() < reader.frames());
    auto done = scan_segment(reader, next - reader.first_frame(),
                             [&](const ScannedFrame& frame, const FrameHeader&,
                                 std::span<const std::byte>) { return each(frame); });
    if (!done) return done;
    next = reader.first_frame() + reader.frames();
  }
  return {};
}

Result<std::vector<Log::RecentId>> Log::recent_ids(std::size_t count) const {
  const ReadScope scope(*this, *state_);
  count = std::min<std::uint64_t>(count, scope.last().value);
  std::vector<RecentId> ids;
  if (count == 0) return ids;
  const Position first = scope.last().value - count + 1;
  auto index = scope.list().of_position(first);
  if (scope.size() - index > kIdSegmentsMax) index = scope.size() - kIdSegmentsMax;
  ids.reserve(count);
  while (index < scope.size()) {
    std::vector<SegmentReader> readers;
    const auto begin = index;
    for (; index < scope.size() && readers.size() < kReadsAtOnce; ++index)
      readers.push_back(scope.reader(index));
    const auto segments = std::span(scope.list().segments).subspan(begin, readers.size());
    auto parts = ids_at_once(readers, segments, first, state_->read_rings);
    for (std::size_t i = 0; i < readers.size(); ++i)
      if (auto ok = add_recent(readers[i], segments[i], first, parts[i], ids); !ok)
        return std::unexpected(ok.error());
  }
  return ids;
}

// One segment's, in what it takes of reads; `known` where they are known already.
Result<void> Log::add_recent(SegmentReader& reader, const Segment& segment, Position from,
                             std::vector<RecentId>& known, std::vector<RecentId>& ids) const {
  if (reader.events() == 0) return {};
  if (!known.empty()) {
    ids.insert(ids.end(), known.begin(), known.end());
    return {};
  }
  const auto skipped = skipped_of(reader, from);
  const auto before = ids.size();
  auto done = add_ids(reader, segment, skipped, ids);
  if (!done && done.error().code == ErrorCode::kCorrupt) {
    // The frames are the truth; the footer is built anew from them.
    state_->files.doubt_footer(reader.number());
    state_->say("the footer of " + segment_name(reader.number()) +
                " is damaged: the ids of its events are read from its frames");
    ids.resize(before);
    done = scan_ids(reader, skipped, ids);
  }
  if (!done && done.error().code != ErrorCode::kCorrupt) return done;
  if (done) return {};
  ids.clear();
  state_->say(done.error().message + ". Retries of appends up to position " +
              to_string(reader.last()) + " are recognised by their checks alone");
  return {};
}

}  // namespace esdb::storage
