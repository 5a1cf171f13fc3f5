#include "storage/segment_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "storage/check.h"
#include "storage/frame_check.h"
#include "storage/gathered_reads.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kBlocksKept = 16;
constexpr std::size_t kSectorBytes = 4096;
constexpr int kInterruptionsMax = 100;

// An interrupted call is repeated, as often as a signal storm may ask for.
template <class Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  for (int i = 0; i < kInterruptionsMax && !result && result.error().number == EINTR; ++i)
    result = call();
  return result;
}

}  // namespace

SegmentReader::SegmentReader(const Segment& segment, const SegmentEnd& end, std::uint64_t seed,
                             FileCache& files)
    : segment_(segment), seed_(seed), files_(files) {
  const auto count = [](std::uint64_t last, std::uint64_t first) {
    return static_cast<std::size_t>(last < first ? 0 : last - first + 1);
  };
  events_ = count(end.last.value, segment_.first.value);
  frames_ = count(end.frame_number, segment_.first_frame);
  if (!segment_.sealed) return;
  ESDB_CHECK(events_ <= segment_.sealed->event_count && frames_ <= segment_.sealed->frame_count);
}

std::int64_t SegmentReader::first_commit_time() const {
  ESDB_CHECK(frames_ > 0);
  return is_in_memory() ? segment_.open->frame_entry(0).commit_time
                        : segment_.sealed->first_commit_time;
}

std::uint32_t SegmentReader::unit_bytes() const {
  return is_in_memory() ? segment_.open->header().unit_bytes : segment_.sealed->unit_bytes;
}

std::unexpected<Error> SegmentReader::damaged(std::uint64_t offset, const Positions& positions,
                                              std::string_view why) const {
  auto message = "segment " + segment_name(segment_.number) + " is damaged at offset " +
                 std::to_string(offset) + ": " + std::string(why);
  if (positions.from.value != 0 && positions.from <= positions.to)
    message += "; positions " + to_string(positions.from) +
               (positions.from == positions.to ? "" : " to " + to_string(positions.to));
  return std::unexpected(
      Error{.code = ErrorCode::kCorrupt,
            .message = std::move(message) + ". Restore the segment's file from a backup"});
}

// What stands in the way now and is gone later is no damage.
std::unexpected<Error> SegmentReader::failed(std::uint64_t offset, const Positions& positions,
                                             std::string_view what, IoError error) const {
  if (!is_passing(error))
    return damaged(offset, positions, std::string(what) + ", " + to_string(error));
  return std::unexpected(
      Error{.code = ErrorCode::kUnavailable,
            .message = "segment " + segment_name(segment_.number) +
                       " could not be read just now, " + to_string(error) +
                       ": nothing is wrong with the store; give the process more descriptors or "
                       "memory, or try again"});
}

Result<void> SegmentReader::open_file() {
  if (file_) return {};
  auto file = uninterrupted([this] { return files_.open(segment_.number); });
  const Positions all{first(), last()};
  if (!file && file.error().number == ENOENT)
    return damaged(0, all, "its file " + segment_name(segment_.number) + " is missing");
  if (!file) return failed(0, all, "its file cannot be opened", file.error());
  file_ = std::move(*file);
  return {};
}

Result<void> SegmentReader::read(std::uint64_t offset, std::span<std::byte> into,
                                 const Positions& positions) {
  if (is_in_memory()) {
    ESDB_CHECK(offset + into.size() <= image().size());
    std::memcpy(into.data(), image().data() + offset, into.size());
    return {};
  }
  if (auto opened = open_file(); !opened) return opened;
  if (gathered_ != nullptr) {
    const auto answer = gathered_->take(number(), file_, offset, into);
    if (answer == GatheredReads::Answer::kHere) return {};
    if (answer == GatheredReads::Answer::kMissed)
      return std::unexpected(
          Error{.code = ErrorCode::kUnavailable, .message = "it has yet to be fetched"});
  }
  const auto read_part = [&](std::uint64_t at, std::span<std::byte> part) {
    return uninterrupted([&] { return file_->read(at, part); });
  };
  auto count = read_part(offset, into);
  if (count && *count == into.size()) return {};
  if (count) return damaged(offset + *count, positions, "the file was cut short");
  if (is_passing(count.error())) return failed(offset, positions, "", count.error());
  // A sector that cannot be read must not hide those around it.
  for (std::size_t at = 0; at < into.size(); at += kSectorBytes) {
    const auto part = into.subspan(at, std::min(kSectorBytes, into.size() - at));
    auto again = read_part(offset + at, part);
    if (again && *again == part.size()) continue;
    return failed(offset + at, positions, "the device cannot read it",
                  again ? count.error() : again.error());
  }
  return {};
}

Result<const std::byte*> SegmentReader::footer_entry(std::uint64_t table_at, std::size_t index,
                                                     std::size_t entry_bytes) {
  const auto place = footer_place(table_at, index, entry_bytes);
  for (const auto& block : blocks_)
    if (block.at == place.block_at) return block.bytes->data() + place.within;
  const auto keep = [&](std::shared_ptr<const FooterBlock> block) {
    if (blocks_.size() >= kBlocksKept) blocks_.erase(blocks_.begin());
    blocks_.push_back({place.block_at, std::move(block)});
    return blocks_.back().bytes->data() + place.within;
  };
  const FooterBlockPlace here{number(), place.block_at};
  if (auto known = files_.footers().find(here)) return keep(std::move(known));
  auto block = std::make_shared<FooterBlock>();
  const Positions all{first(), last()};
  if (auto read_block = read(place.block_at, *block, all); !read_block)
    return std::unexpected(read_block.error());
  if (!is_sound(*block, here, seed()))
    return damaged(place.block_at, all, "a block of its footer fails its checksum");
  files_.footers().add(here, block);
  return keep(std::move(block));
}

bool SegmentReader::doubts_footer(const Error& error) {
  if (error.code != ErrorCode::kCorrupt) return false;
  files_.doubt_footer(number());
  return true;
}

Result<SegmentFrames::Event> SegmentReader::event_from_frames(Position position) {
  auto index = frame_of(position);
  if (!index) return std::unexpected(index.error());
  return frames_themselves_.event(*this, *index, position);
}

Result<SegmentReader::EventPlace> SegmentReader::event_place(Position position) {
  ESDB_CHECK(first() <= position && position <= last());
  const auto index = static_cast<std::size_t>(position.value - first().value);
  std::uint32_t entry = 0;
  if (is_in_memory()) {
    entry = segment_.open->offset_entry(index);
  } else {
    auto found = footer_entry(segment_.sealed->offsets_at, index, sizeof(entry));
    if (!found && doubts_footer(found.error())) {
      auto event = event_from_frames(position);
      if (!event) return std::unexpected(event.error());
      return EventPlace{.offset = event->offset, .ends_commit = event->ends_commit};
    }
    if (!found) return std::unexpected(found.error());
    std::memcpy(&entry, *found, sizeof(entry));
  }
  return EventPlace{.offset = std::uint64_t{entry & ~kOffsetEndsCommit} * 8,
                    .ends_commit = (entry & kOffsetEndsCommit) != 0};
}

std::size_t SegmentReader::places_at_hand(Position from) const {
  const auto index = static_cast<std::size_t>(from.value - first().value);
  const auto left = static_cast<std::size_t>(last().value - from.value + 1);
  return std::min(left, kOffsetsPerBlock - index % kOffsetsPerBlock);
}

Result<FooterId> SegmentReader::event_id(Position position) {
  ESDB_CHECK(first() <= position && position <= last());
  const auto index = static_cast<std::size_t>(position.value - first().value);
  if (is_in_memory()) return segment_.open->id_entry(index);
  auto found = footer_entry(segment_.sealed->ids_at, index, sizeof(FooterId));
  if (!found && doubts_footer(found.error())) {
    auto event = event_from_frames(position);
    if (!event) return std::unexpected(event.error());
    return event->id;
  }
  if (!found) return std::unexpected(found.error());
  FooterId id;
  std::memcpy(&id, *found, sizeof(id));
  return id;
}

Result<FooterFrame> SegmentReader::frame(std::size_t index) {
  ESDB_CHECK(index < frames_);
  if (is_in_memory()) return segment_.open->frame_entry(index);
  auto found = footer_entry(segment_.sealed->frames_at, index, sizeof(FooterFrame));
  if (!found && doubts_footer(found.error())) return frames_themselves_.frame(*this, index);
  if (!found) return std::unexpected(found.error());
  FooterFrame entry;
  std::memcpy(&entry, *found, sizeof(entry));
  return entry;
}

Result<std::size_t> SegmentReader::frame_of(Position position) {
  // The last frame that begins at or below it: those without events stand before the one with.
  std::size_t low = 0, high = frames_;
  // Frames are mostly alike, so it is mostly near where it would be if all were: few blocks of the
  // footer are looked into.
  auto guess = events_ == 0 ? 0 : (position.value - first().value) * frames_ / events_;
  for (std::size_t step = 1; low < high; step *= 2) {
    const auto at = std::clamp<std::size_t>(guess, low, high - 1);
    auto entry = frame(at);
    if (!entry) return std::unexpected(entry.error());
    const bool below = entry->first_position <= position.value;
    const bool turned = below ? high < frames_ : low > 0;
    (below ? low : high) = below ? at + 1 : at;
    if (turned) break;
    guess = below ? at + step : at - std::min<std::size_t>(at, step);
  }
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    auto entry = frame(middle);
    if (!entry) return std::unexpected(entry.error());
    if (entry->first_position <= position.value)
      low = middle + 1;
    else
      high = middle;
  }
  ESDB_CHECK(low > 0 || !is_in_memory());
  if (low > 0) return low - 1;
  // Entries whose checksum is right need not be.
  return damaged(segment_.sealed->frames_at, {position, position},
                 "none of its footer's frames holds it");
}

Result<std::size_t> SegmentReader::frame_since(Time time) {
  std::size_t low = 0, high = frames_;
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    auto entry = frame(middle);
    if (!entry) return std::unexpected(entry.error());
    if (entry->commit_time < time.time_since_epoch().count())
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

Result<FrameHeader> SegmentReader::frame_header(std::size_t index) {
  auto entry = frame(index);
  if (!entry) return std::unexpected(entry.error());
  std::array<std::byte, sizeof(FrameHeader)> bytes;
  const Positions here{entry->first_position, entry->first_position};
  if (auto done = read(entry->offset, bytes, here); !done) return std::unexpected(done.error());
  const auto header = frame_header_at(bytes, {number(), entry->offset, seed(), unit_bytes()});
  if (!header || header->frame_number != first_frame() + index)
    return damaged(entry->offset, here, "the header of a frame fails its checksum");
  return *header;
}

Result<std::uint64_t> SegmentReader::content_end() {
  ESDB_CHECK(frames_ > 0);
  if (content_end_ != 0) return content_end_;
  auto header = frame_header(frames_ - 1);
  if (!header) return std::unexpected(header.error());
  content_end_ = std::uint64_t{header->offset} + header->length;
  return content_end_;
}

Result<std::uint64_t> SegmentReader::frames_end() {
  if (segment_.sealed) return segment_.sealed->frames_end;
  auto end = content_end();
  if (!end) return end;
  return padded(*end, unit_bytes());
}

Result<std::uint64_t> SegmentReader::first_frame_offset() {
  if (is_in_memory()) return first_frame_at(segment_.open->header().block_bytes);
  const Positions all{first(), last()};
  if (auto opened = open_file(); !opened) return std::unexpected(opened.error());
  auto header = uninterrupted([this] { return read_segment_header(*file_); });
  if (!header) return failed(0, all, "its header cannot be read", header.error());
  if (!*header || (*header)->number != number() || (*header)->seed != seed_)
    return damaged(0, all, "its header fails its checksum");
  return first_frame_at((*header)->block_bytes);
}

}  // namespace esdb::storage
