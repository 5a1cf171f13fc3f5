#include "storage/damaged_log.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <utility>

#include "esdb/limits.h"
#include "protocol/encoded_event.h"
#include "storage/frame_check.h"
#include "storage/offline_segment.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

constexpr std::uint32_t kGapMax = 10'000;  // files that may lack in a row: more is no log
constexpr std::size_t kHeaderBlock = 4096;

using Kind = DamagedFile::Kind;

std::unexpected<Error> error(ErrorCode code, std::string message) {
  return std::unexpected(Error{.code = code, .message = std::move(message)});
}

struct Identity {
  Uuid store_id{};
  std::uint64_t seed{};
  auto operator<=>(const Identity&) const = default;
};

class Look {
 public:
  Look(Io& io, OfflineLog log) : io_(io), log_(std::move(log)) {}

  Result<DamagedLog> run();

 private:
  Result<void> settle_identity();
  Result<DamagedFile> look_at(const OfflineSegment& segment);
  Result<void> wait_for_writes(const OfflineSegment& segment);
  SegmentHeader header_for(const OfflineSegment& segment) const;
  Result<void> read_frames(const OfflineSegment& segment, DamagedFile& file);

  Io& io_;
  OfflineLog log_;
  Identity identity_{};
  SegmentHeader model_{};  // a sound header of this store
};

// This store is the one that most of the files belong to.
Result<void> Look::settle_identity() {
  std::map<Identity, std::size_t> counts;
  for (const auto& segment : log_.segments) {
    if (!segment.header) continue;
    if (segment.header->format != kFormatVersion)
      return error(ErrorCode::kUnsupported, segment.path + " has format version " +
                                                std::to_string(segment.header->format) +
                                                ": repair it with a newer program");
    ++counts[{segment.header->store_id, segment.header->seed}];
  }
  if (counts.empty())
    return error(ErrorCode::kRefused,
                 "no segment in " + log_.segments.front().path +
                     "'s directory has a sound header: without the store's secret, which only "
                     "headers hold, its frames cannot be told from other bytes; restore the store "
                     "from a backup");
  const auto times = [](const auto& one) { return one.second; };
  const auto most = std::ranges::max_element(counts, {}, times);
  if (std::ranges::count(counts, most->second, times) > 1)
    return error(ErrorCode::kRefused,
                 "the segments beside " + log_.segments.front().path +
                     " belong to several stores, as many to one as to another: take the strangers' "
                     "files away and try again");
  identity_ = most->first;
  for (auto& segment : log_.segments) {
    if (segment.header && Identity{segment.header->store_id, segment.header->seed} == identity_)
      model_ = *segment.header;
    if (identity_.seed == log_.seed) continue;
    auto file = io_.open(segment.path, OpenMode::kRead);
    if (!file) return error(ErrorCode::kRefused, segment.path + ", " + to_string(file.error()));
    auto tail = read_footer_tail(**file, segment.number, identity_.seed);
    if (!tail) return error(ErrorCode::kRefused, segment.path + ", " + to_string(tail.error()));
    segment.tail = *tail;
  }
  return {};
}

// As recovery does: a killed process's writes may still be on their way to the device.
Result<void> Look::wait_for_writes(const OfflineSegment& segment) {
  auto file = io_.open(segment.path, OpenMode::kRead);
  if (!file) return error(ErrorCode::kRefused, segment.path + ", " + to_string(file.error()));
  auto locked = (*file)->lock(LockMode::kShared, kPredecessorWait);
  if (locked && *locked) return {};
  return error(ErrorCode::kLocked,
               segment.path + " is still written by another process: try again");
}

// Its own, or as it must have been: the neighbours' with its number, and the size of its file.
SegmentHeader Look::header_for(const OfflineSegment& segment) const {
  if (segment.header) return *segment.header;
  auto header = model_;
  header.number = segment.number;
  if (std::has_single_bit(segment.file_bytes) &&
      segment.file_bytes >= 8 * std::uint64_t{header.block_bytes} &&
      segment.file_bytes <= kSegmentBytesMax)
    header.segment_bytes = segment.file_bytes;
  if (segment.tail) header.unit_bytes = segment.tail->unit_bytes;
  header.checksum = checksum_of(header);
  return header;
}

Result<void> Look::read_frames(const OfflineSegment& segment, DamagedFile& file) {
  auto read = SegmentBytes::read(io_, segment, ReadFrom::kDevice);
  if (!read) return std::unexpected(read.error());
  const auto bytes = read->bytes();
  const auto& header = file.header;
  if (!file.has_sound_header && all_zero(bytes.subspan(std::min(kHeaderBlock, bytes.size())))) {
    file.kind = Kind::kNothing;
    return {};
  }
  file.claimed = std::max(file.claimed, witnessed_in(bytes, header));
  const WalkRange range{first_frame_at(header.block_bytes), header.segment_bytes};
  auto end = walk_frames(bytes, header, range, [&](const WalkedFrame& frame) -> Result<void> {
    if (frame.header) file.claimed = std::max(file.claimed, frame.header->durable_frame);
    if (frame.damage.empty())
      file.frames.push_back({.header = *frame.header,
                             .parent_epoch_id = frame.parent_epoch_id,
                             .bytes = frame_bytes(*frame.header, header.unit_bytes)});
    return {};
  });
  if (!end) return std::unexpected(end.error());
  file.written_to = *end > range.begin ? *end : 0;
  return {};
}

Result<DamagedFile> Look::look_at(const OfflineSegment& segment) {
  DamagedFile file{.number = segment.number,
                   .path = segment.path,
                   .file_bytes = segment.file_bytes,
                   .has_sound_header = segment.header.has_value()};
  const bool is_ours =
      !segment.header || (segment.header->number == segment.number &&
                          Identity{segment.header->store_id, segment.header->seed} == identity_);
  if (!is_ours) {
    file.kind = Kind::kForeign;
    return file;
  }
  file.header = header_for(segment);
  if (segment.tail) {
    file.kind = Kind::kSealed;
    file.tail = *segment.tail;
    file.claimed = segment.tail->first_frame + segment.tail->frame_count - 1;
    return file;
  }
  file.kind = Kind::kUnsealed;
  if (auto waited = wait_for_writes(segment); !waited) return std::unexpected(waited.error());
  if (auto done = read_frames(segment, file); !done) return std::unexpected(done.error());
  return file;
}

Result<DamagedLog> Look::run() {
  if (auto settled = settle_identity(); !settled) return std::unexpected(settled.error());
  DamagedLog found{.store_id = identity_.store_id, .seed = identity_.seed};
  for (const auto& segment : log_.segments) {
    auto file = look_at(segment);
    if (!file) return std::unexpected(file.error());
    // A foreign file behind everything of ours is no part of the log.
    if (file->number > found.files.size() + kGapMax) {
      found.others.push_back(segment_name(file->number));
      continue;
    }
    for (auto number = static_cast<std::uint32_t>(found.files.size()) + 1; number < file->number;
         ++number) {
      const auto slash = file->path.rfind('/');
      found.files.push_back(
          {.number = number, .path = file->path.substr(0, slash + 1) + segment_name(number)});
    }
    found.files.push_back(std::move(*file));
  }
  // Files behind it that hold nothing yet are its own where their header says so.
  const auto is_end = [](const DamagedFile& file) {
    return file.holds_data() || (file.kind == Kind::kUnsealed && file.has_sound_header);
  };
  while (found.files.size() > 1 && !is_end(found.files.back())) {
    if (found.files.back().kind != Kind::kMissing)
      found.others.push_back(segment_name(found.files.back().number));
    found.files.pop_back();
  }
  return found;
}

}  // namespace

std::optional<OpenSegment::Before> DamagedFile::begins_behind() const {
  if (kind == Kind::kSealed)
    return OpenSegment::Before{.last = tail.first_position - 1,
                               .frame_number = tail.first_frame - 1,
                               .epoch_id = tail.first_epoch_id,
                               .commit_time = tail.first_commit_time};
  if (kind != Kind::kUnsealed || frames.empty() ||
      frames.front().header.offset != first_frame_at(header.block_bytes))
    return std::nullopt;
  const auto& first = frames.front();
  return OpenSegment::Before{.last = first.header.first_position - 1,
                             .frame_number = first.header.frame_number - 1,
                             .epoch_id = first.header.kind == FrameKind::kEpoch
                                             ? first.parent_epoch_id
                                             : first.header.epoch_id,
                             .commit_time = first.header.commit_time};
}

Result<DamagedLog> look_at_damaged(Io& io, const std::string& directory) {
  auto log = look_at_log(io, directory);
  if (!log) return std::unexpected(log.error());
  return Look(io, std::move(*log)).run();
}

Result<std::vector<std::string>> streams_behind(Io& io, const DamagedFile& file,
                                                std::uint64_t offset, std::size_t most) {
  const OfflineSegment segment{
      .number = file.number, .path = file.path, .file_bytes = file.file_bytes};
  auto read = SegmentBytes::read(io, segment, ReadFrom::kDevice);
  if (!read) return std::unexpected(read.error());
  std::set<std::string> names;
  const WalkRange range{offset, file.header.segment_bytes};
  auto walked = walk_frames(read->bytes(), file.header, range, [&](const WalkedFrame& frame) {
    for (const auto& record : frame.records)
      if (record.kind == RecordKind::kEvent && names.size() < most)
        names.emplace(protocol::stream_of(record.payload));
    return Result<void>{};
  });
  if (!walked) return std::unexpected(walked.error());
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace esdb::storage
