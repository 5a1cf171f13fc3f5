#include "storage/offline_segment.h"

#include <algorithm>
#include <cstring>

#include "esdb/event.h"
#include "storage/aligned_bytes.h"
#include "storage/check.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kSectorBytes = 4096;
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

std::unexpected<Error> no_store(const std::string& directory, const std::string& why) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidArgument,
                               .message = "there is no store in " + directory + why});
}

// No segment: never a store, or one whose index tells that there was a log.
std::unexpected<Error> no_segment(Io& io, const OfflineLog& log, const std::string& directory,
                                  const std::string& why) {
  const auto indexed = io.exists(log.index_directory);
  if (!indexed || !*indexed) return no_store(directory, why);
  return std::unexpected(Error{.code = ErrorCode::kRefused,
                               .message = "the store in " + directory +
                                          ": it has an index but no log: " + directory +
                                          "/log was deleted; restore the directory from a backup"});
}

std::unexpected<Error> unreadable(const std::string& path, IoError error) {
  return std::unexpected(
      Error{.code = ErrorCode::kCorrupt,
            .message = path + " cannot be read, " + to_string(error) + ": mend the device"});
}

Result<OfflineSegment> look_at(Io& io, const std::string& path, std::uint32_t number) {
  OfflineSegment segment{.number = number, .path = path};
  auto file = io.open(path, OpenMode::kRead);
  if (!file) return unreadable(path, file.error());
  auto size = (*file)->size();
  if (!size) return unreadable(path, size.error());
  segment.file_bytes = *size;
  auto header = read_segment_header(**file);
  if (!header) return unreadable(path, header.error());
  segment.header = *header;
  return segment;
}

// Chunk by chunk, and sector by sector where a chunk cannot be read.
void read_from_device(File& file, std::span<std::byte> into) {
  AlignedBytes chunk(kChunkBytes);
  const auto read = [&](std::size_t at, std::size_t size) {
    auto count = file.read_device(at, chunk.bytes().first(size));
    if (!count) return false;
    const auto part = into.subspan(at, std::min({*count, size, into.size() - at}));
    std::memcpy(part.data(), chunk.bytes().data(), part.size());
    return true;
  };
  for (std::size_t at = 0; at < into.size(); at += kChunkBytes) {
    if (read(at, kChunkBytes)) continue;
    const auto end = std::min(at + kChunkBytes, into.size());
    for (auto sector = at; sector < end; sector += kSectorBytes) read(sector, kSectorBytes);
  }
}

}  // namespace

std::string uuid_text(const Uuid& id) { return to_string(EventId{id}); }

Result<OfflineLog> look_at_log(Io& io, const std::string& directory) {
  const auto log_directory = directory + "/log";
  auto names = io.list(log_directory);
  OfflineLog log{.index_directory = directory + "/index"};
  if (!names)
    return no_segment(io, log, directory, ": " + log_directory + ", " + to_string(names.error()));
  bool has_secret = false;
  for (const auto& name : *names) {
    const auto number = parse_segment_name(name);
    if (!number) continue;
    auto segment = look_at(io, log_directory + "/" + name, *number);
    if (!segment) return std::unexpected(segment.error());
    if (segment->header && !has_secret) {
      has_secret = true;
      log.seed = segment->header->seed;
      log.store_id = segment->header->store_id;
    }
    log.segments.push_back(std::move(*segment));
  }
  if (log.segments.empty())
    return no_segment(io, log, directory, ": " + log_directory + " has no segment");
  std::sort(log.segments.begin(), log.segments.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  for (auto& segment : log.segments) {
    if (!has_secret) break;
    auto file = io.open(segment.path, OpenMode::kRead);
    if (!file) return unreadable(segment.path, file.error());
    auto tail = read_footer_tail(**file, segment.number, log.seed);
    if (!tail) return unreadable(segment.path, tail.error());
    segment.tail = *tail;
  }
  return log;
}

void SegmentBytes::clear_from(std::uint64_t offset) {
  const auto all = std::as_writable_bytes(std::span(words_)).first(size_);
  std::ranges::fill(all.subspan(std::min<std::size_t>(offset, size_)), std::byte{0});
}

Result<SegmentBytes> SegmentBytes::read(Io& io, const OfflineSegment& segment, ReadFrom from) {
  SegmentBytes result;
  result.size_ = static_cast<std::size_t>(segment.file_bytes);
  result.words_.resize(padded(result.size_, 8) / 8);
  auto file = io.open(segment.path, OpenMode::kRead);
  if (!file) return unreadable(segment.path, file.error());
  const auto into = std::as_writable_bytes(std::span(result.words_)).first(result.size_);
  if (from == ReadFrom::kDevice) {
    read_from_device(**file, into);
    return result;
  }
  auto count = (*file)->read(0, into);
  if (count) return result;
  // What the device cannot read stays zero, and is found damaged.
  for (std::size_t at = 0; at < into.size(); at += kSectorBytes) {
    const auto part = into.subspan(at, std::min(kSectorBytes, into.size() - at));
    if (auto again = (*file)->read(at, part); !again)
      std::fill(part.begin(), part.end(), std::byte{0});
  }
  return result;
}

std::uint64_t witnessed_in(std::span<const std::byte> bytes, const SegmentHeader& header) {
  std::uint64_t durable = 0;
  for (unsigned which = 0; which < 2; ++which) {
    const auto at = std::min<std::uint64_t>(witness_at(header.block_bytes, which), bytes.size());
    if (const auto witness = witness_in(bytes.subspan(at), header))
      durable = std::max(durable, witness->durable_frame);
  }
  return durable;
}

Result<std::uint64_t> walk_frames(std::span<const std::byte> bytes, const SegmentHeader& header,
                                  const WalkRange& range,
                                  const std::function<Result<void>(const WalkedFrame&)>& each) {
  const std::uint64_t unit = header.unit_bytes;
  const auto end = std::min<std::uint64_t>(range.end, bytes.size() / unit * unit);
  std::uint64_t written_to = range.begin;
  std::vector<ScannedRecord> records;
  bool in_damage = false;  // told once, up to the next header
  for (auto at = range.begin; at < end;) {
    const FramePlace place{header.number, at, header.seed, header.unit_bytes};
    WalkedFrame frame{.offset = at};
    frame.header = frame_header_at(bytes.subspan(at), place);
    auto size = unit;
    if (frame.header) {
      size = frame_bytes(*frame.header, header.unit_bytes);
      if (at + size > end) {
        frame.damage = "a frame longer than its segment";
        size = unit;
      } else if (frame.header->format != kFormatVersion) {
        frame.damage = "a frame of format version " + std::to_string(frame.header->format);
      } else {
        frame.damage = check_content(*frame.header, bytes.subspan(at, size), place, records);
        if (frame.damage.empty()) frame.records = records;
        if (frame.damage.empty() && frame.header->kind == FrameKind::kEpoch)
          frame.parent_epoch_id = parent_epoch_of(bytes.subspan(at, size));
        if (!frame.damage.empty()) size = unit;
      }
    } else if (!all_zero(bytes.subspan(at, unit))) {
      frame.damage = "no frame header";
    }
    const bool is_gap = !frame.header && frame.damage.empty();
    if (!is_gap) written_to = at + size;
    if (frame.header || (!is_gap && !in_damage))
      if (auto done = each(frame); !done) return std::unexpected(done.error());
    in_damage = !frame.header ? in_damage || !is_gap : !frame.damage.empty();
    at += size;
  }
  return written_to;
}

}  // namespace esdb::storage
