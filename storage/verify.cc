#include "storage/verify.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "storage/footer.h"
#include "storage/index.h"
#include "storage/live_segment.h"
#include "storage/offline_segment.h"
#include "storage/posix_io.h"
#include "storage/segment_file.h"
#include "storage/store_lock.h"

namespace esdb::storage {
namespace {

constexpr std::string_view kRestore = "restore the store from a backup";
constexpr std::string_view kHarmless =
    "nothing: no event is concerned, but the device changes what it holds";
constexpr std::string_view kNothing = "nothing: the next opening for writing cuts it";

// What the footer of a segment must say of its frames.
struct Told {
  std::vector<std::uint32_t> offsets{};
  std::vector<FooterId> ids{};
  std::vector<FooterFrame> frames{};
};

class Verifier {
 public:
  // `live_up_to`: a process writes; up to this frame all is durable.
  Verifier(Io& io, OfflineLog log, const VerifyOptions& options,
           std::optional<std::uint64_t> live_up_to)
      : io_(io), log_(std::move(log)), options_(options), live_up_to_(live_up_to) {}

  Result<VerifyReport> run();

 private:
  Result<void> check_segment(const OfflineSegment& segment);
  Result<void> check_headerless(const OfflineSegment& segment);
  void settle_claims();
  void check_first_blocks(const OfflineSegment& segment, std::span<const std::byte> bytes);
  Result<void> check_frames(const OfflineSegment& segment, std::span<const std::byte> bytes,
                            Told& told);
  void check_frame(const OfflineSegment& segment, const WalkedFrame& frame, Told& told);
  void check_footer(const OfflineSegment& segment, std::span<const std::byte> bytes,
                    const Told& told);
  // The offset behind it.
  std::uint64_t check_table(const OfflineSegment& segment, std::span<const std::byte> bytes,
                            std::uint64_t table_at, std::span<const std::byte> entries,
                            std::size_t entry_bytes);
  void check_rest_of_footer(const OfflineSegment& segment, std::span<const std::byte> bytes,
                            std::uint64_t tables_end);
  void note_frame(const FrameHeader& header, std::span<const ScannedRecord> records, Told& told);
  void settle_gap(const OfflineSegment& segment, const FrameHeader& next);
  Damage& damage(const OfflineSegment& segment, std::uint64_t offset, std::string what);
  bool is_last(const OfflineSegment& segment) const { return &segment == &log_.segments.back(); }

  Io& io_;
  const OfflineLog log_;
  const VerifyOptions& options_;
  const std::optional<std::uint64_t> live_up_to_;
  VerifyReport report_{};
  FrameExpected expected_{.frame_number = 1, .first_position = 1};
  std::vector<std::size_t> open_damages_{};  // of frames that the next sound one will bound
  std::uint64_t bytes_all_ = 0;
};

Damage& Verifier::damage(const OfflineSegment& segment, std::uint64_t offset, std::string what) {
  report_.damages.push_back({.segment = segment.number,
                             .file = segment.path,
                             .offset = offset,
                             .what = std::move(what),
                             .remedy = std::string(kRestore),
                             .is_acknowledged = true});
  return report_.damages.back();
}

Result<VerifyReport> Verifier::run() {
  report_.store_id = uuid_text(log_.store_id);
  report_.segments = log_.segments.size();
  for (const auto& segment : log_.segments) bytes_all_ += segment.file_bytes;
  std::uint32_t next = 1;
  for (const auto& segment : log_.segments) {
    for (; next < segment.number; ++next)
      damage(segment, 0, "the segment before it, " + segment_name(next) + ", is missing");
    if (segment.header && segment.header->format != kFormatVersion)
      return std::unexpected(Error{.code = ErrorCode::kUnsupported,
                                   .message = segment.path + " has format version " +
                                              std::to_string(segment.header->format) +
                                              "; this program reads " +
                                              std::to_string(kFormatVersion)});
    if (auto checked = check_segment(segment); !checked) return std::unexpected(checked.error());
    next = segment.number + 1;
  }
  settle_claims();
  report_.last = expected_.first_position.value - 1;
  report_.last_frame = expected_.frame_number - 1;
  // What lies behind the last whole frame was acknowledged only if something claims so.
  for (const auto index : open_damages_) {
    auto& torn = report_.damages[index];
    torn.is_acknowledged = report_.durable_claimed > report_.last_frame;
    torn.first = torn.is_acknowledged ? expected_.first_position : Position{0};
    if (!torn.is_acknowledged) torn.remedy = kNothing;
  }
  if (open_damages_.empty() && report_.durable_claimed > report_.last_frame)
    damage(log_.segments.back(), 0,
           "frames up to " + std::to_string(report_.durable_claimed) +
               " were durable, but the log ends with frame " + std::to_string(report_.last_frame))
        .first = expected_.first_position;
  return std::move(report_);
}

// What was durable, by everything that says so.
void Verifier::settle_claims() {
  const auto& last = log_.segments.back();
  const auto behind = last.path.substr(0, last.path.rfind('/') + 1) + segment_name(last.number + 1);
  const bool just_made = live_up_to_ && io_.exists(behind).value_or(true);
  if (last.tail && !just_made)
    damage(last, 0, "the last segment is sealed: the one behind it is gone");
  report_.is_live = live_up_to_.has_value();
  if (live_up_to_) {
    report_.durable_claimed = *live_up_to_;
    return;
  }
  // An index that is whole knows how far the log was durable, too.
  const auto indexed = Index::claimed_frame(
      {.directory = log_.index_directory, .store_id = log_.store_id, .seed = log_.seed},
      expected_.epoch_id, Access::kReadOnly);
  report_.durable_claimed = std::max(report_.durable_claimed, indexed);
}

Result<void> Verifier::check_headerless(const OfflineSegment& segment) {
  if (live_up_to_ && is_last(segment)) return {};  // it is being made
  auto& found = damage(segment, 0, "it has no sound header");
  const bool sealed_before =
      log_.segments.size() > 1 && log_.segments[log_.segments.size() - 2].tail.has_value();
  auto bytes = SegmentBytes::read(io_, segment);
  if (!bytes) return std::unexpected(bytes.error());
  const auto behind = std::min<std::size_t>(4096, bytes->bytes().size());
  // An index is made when the first segment has been: then that one held something.
  const bool is_lost =
      log_.segments.size() == 1 && io_.exists(log_.index_directory).value_or(false);
  if (is_last(segment) && !sealed_before && !is_lost && all_zero(bytes->bytes().subspan(behind))) {
    found.what = "it is half-made and holds nothing";
    found.remedy = "nothing: the next opening for writing makes it again";
    found.is_acknowledged = false;
  }
  report_.bytes += bytes->bytes().size();
  return {};
}

Result<void> Verifier::check_segment(const OfflineSegment& segment) {
  if (options_.progress) options_.progress({report_.bytes, bytes_all_});
  if (!segment.header) return check_headerless(segment);
  if (segment.header->store_id != log_.store_id || segment.header->seed != log_.seed ||
      segment.header->number != segment.number) {
    damage(segment, 0, "it belongs to another store, or has another number");
    return {};
  }
  auto bytes = live_up_to_ && !segment.tail ? settled_bytes(io_, segment, *live_up_to_)
                                            : SegmentBytes::read(io_, segment);
  if (!bytes) return std::unexpected(bytes.error());
  report_.bytes += bytes->bytes().size();
  if (segment.file_bytes != segment.header->segment_bytes)
    damage(segment, segment.file_bytes,
           "the file has " + std::to_string(segment.file_bytes) + " bytes, not " +
               std::to_string(segment.header->segment_bytes));
  check_first_blocks(segment, bytes->bytes());
  Told told;
  if (auto done = check_frames(segment, bytes->bytes(), told); !done) return done;
  if (segment.tail) check_footer(segment, bytes->bytes(), told);
  return {};
}

// The header's block and the witnesses'.
void Verifier::check_first_blocks(const OfflineSegment& segment, std::span<const std::byte> bytes) {
  const auto& header = *segment.header;
  const auto block = header.block_bytes;
  if (bytes.size() < first_frame_at(block)) return;
  if (!all_zero(bytes.subspan(sizeof(header), block - sizeof(header))))
    damage(segment, sizeof(header), "bytes behind its header are not zero").is_acknowledged = false;
  std::uint64_t newest = 0;
  for (unsigned which = 0; which < 2; ++which) {
    const auto at = witness_at(block, which);
    const auto here = bytes.subspan(at, block);
    if (live_up_to_ && !segment.tail) break;  // one of them may just be written
    if (all_zero(here)) continue;
    const auto witness = witness_in(here, header);
    if (!witness) {
      auto& found = damage(segment, at, "one of its two witnesses is torn or damaged");
      found.is_acknowledged = false;
      found.remedy = "nothing: the other one counts, and it is written again";
      continue;
    }
    if (!all_zero(here.subspan(sizeof(Witness)))) {
      auto& found = damage(segment, at + sizeof(Witness), "bytes behind a witness are not zero");
      found.is_acknowledged = false;
      found.remedy = std::string(kHarmless);
    }
    report_.durable_claimed = std::max(report_.durable_claimed, witness->durable_frame);
    if (witness->sequence <= newest) continue;
    newest = witness->sequence;
    report_.closed_cleanly = witness->clean != 0;
  }
}

// A sound frame that follows damage says which positions the damage holds.
void Verifier::settle_gap(const OfflineSegment& segment, const FrameHeader& next) {
  if (open_damages_.empty() && next.frame_number > expected_.frame_number)
    damage(segment, next.offset,
           "frames " + std::to_string(expected_.frame_number) + " to " +
               std::to_string(next.frame_number - 1) + " are missing before it");
  else if (open_damages_.empty())
    return;
  auto& found =
      open_damages_.empty() ? report_.damages.back() : report_.damages[open_damages_.front()];
  if (next.first_position > expected_.first_position.value) {
    found.first = expected_.first_position;
    found.last = next.first_position - 1;
  }
  open_damages_.clear();
}

void Verifier::check_frame(const OfflineSegment& segment, const WalkedFrame& frame, Told& told) {
  if (frame.header)
    report_.durable_claimed = std::max(report_.durable_claimed, frame.header->durable_frame);
  if (!frame.damage.empty()) {
    damage(segment, frame.offset, frame.damage);
    open_damages_.push_back(report_.damages.size() - 1);
    return;
  }
  const auto& header = *frame.header;
  auto why = check_follows(header, expected_, frame.parent_epoch_id);
  const bool goes_on = header.frame_number > expected_.frame_number &&
                       header.first_position >= expected_.first_position.value;
  if (!why.empty() && !goes_on) {
    damage(segment, frame.offset, "a stale frame: " + why);
    open_damages_.push_back(report_.damages.size() - 1);
    return;
  }
  settle_gap(segment, header);
  note_frame(header, frame.records, told);
}

void Verifier::note_frame(const FrameHeader& header, std::span<const ScannedRecord> records,
                          Told& told) {
  told.frames.push_back({.first_position = header.first_position,
                         .commit_time = header.commit_time,
                         .offset = header.offset});
  std::uint64_t offset = header.offset + sizeof(FrameHeader);
  for (const auto& record : records) {
    report_.commits += record.ends_commit ? 1 : 0;
    if (record.kind == RecordKind::kTracking) {
      ++report_.tracking;
    } else {
      ++report_.events;
      told.offsets.push_back(static_cast<std::uint32_t>(offset / 8) |
                             (record.ends_commit ? kOffsetEndsCommit : 0));
      told.ids.push_back(
          {protocol::id_of(record.payload).bytes, protocol::fingerprint_of(record.payload)});
    }
    offset += record_bytes(record.payload.size());
  }
  ++report_.frames;
  report_.epochs += header.kind == FrameKind::kEpoch ? 1 : 0;
  expected_ = {.frame_number = header.frame_number + 1,
               .first_position = header.first_position + header.event_count,
               .epoch_id = header.epoch_id,
               .commit_time_min = header.commit_time};
}

Result<void> Verifier::check_frames(const OfflineSegment& segment, std::span<const std::byte> bytes,
                                    Told& told) {
  const auto& header = *segment.header;
  const WalkRange range{first_frame_at(header.block_bytes),
                        segment.tail ? segment.tail->offsets_at : header.segment_bytes};
  const auto before = report_.damages.size();
  auto written_to =
      walk_frames(bytes, header, range, [&](const WalkedFrame& frame) -> Result<void> {
        check_frame(segment, frame, told);
        return {};
      });
  if (!written_to) return std::unexpected(written_to.error());
  if (segment.tail && *written_to > segment.tail->frames_end && report_.damages.size() == before)
    damage(segment, segment.tail->frames_end, "bytes behind its last frame are not zero");
  return {};
}

std::uint64_t Verifier::check_table(const OfflineSegment& segment, std::span<const std::byte> bytes,
                                    std::uint64_t table_at, std::span<const std::byte> entries,
                                    std::size_t entry_bytes) {
  const auto per_block = kFooterPayloadBytes / entry_bytes * entry_bytes;
  auto at = table_at;
  for (; !entries.empty(); at += kFooterBlockBytes) {
    if (at + kFooterBlockBytes > bytes.size()) {
      damage(segment, at, "its footer is cut short");
      return at;
    }
    FooterBlock block;
    std::memcpy(block.data(), bytes.data() + at, block.size());
    const auto part = entries.first(std::min(per_block, entries.size()));
    if (!is_sound(block, {segment.number, at}, log_.seed))
      damage(segment, at, "a block of its footer fails its checksum");
    else if (!std::equal(part.begin(), part.end(), block.begin()))
      damage(segment, at, "a block of its footer contradicts its frames");
    entries = entries.subspan(part.size());
  }
  return at;
}

// What lies around the tables and the tail is zero.
void Verifier::check_rest_of_footer(const OfflineSegment& segment, std::span<const std::byte> bytes,
                                    std::uint64_t tables_end) {
  const auto tail_at = segment.header->segment_bytes - kFooterBlockBytes;
  if (bytes.size() != segment.header->segment_bytes || tables_end > tail_at) return;
  const auto check = [&](std::uint64_t begin, std::uint64_t end) {
    if (all_zero(bytes.subspan(begin, end - begin))) return;
    auto& found = damage(segment, begin, "bytes of its footer that hold nothing are not zero");
    found.is_acknowledged = false;
    found.remedy = std::string(kHarmless);
  };
  check(tables_end, tail_at);
  check(tail_at + sizeof(FooterTail), bytes.size());
}

void Verifier::check_footer(const OfflineSegment& segment, std::span<const std::byte> bytes,
                            const Told& told) {
  const auto& tail = *segment.tail;
  report_.durable_claimed =
      std::max(report_.durable_claimed, tail.first_frame + tail.frame_count - 1);
  ++report_.sealed;
  if (tail.event_count != told.offsets.size() || tail.frame_count != told.frames.size()) {
    // Damaged frames are reported already; the counts say how much they held.
    damage(segment, segment.file_bytes - kFooterBlockBytes,
           "its footer counts " + std::to_string(tail.event_count) + " events in " +
               std::to_string(tail.frame_count) + " frames, but " +
               std::to_string(told.offsets.size()) + " in " + std::to_string(told.frames.size()) +
               " are whole");
    // Where the next segment goes on.
    expected_ = {.frame_number = tail.first_frame + tail.frame_count,
                 .first_position = tail.first_position + tail.event_count,
                 .epoch_id = tail.last_epoch_id,
                 .commit_time_min = tail.last_commit_time};
    open_damages_.clear();
    return;
  }
  check_table(segment, bytes, tail.offsets_at, std::as_bytes(std::span(told.offsets)),
              sizeof(std::uint32_t));
  check_table(segment, bytes, tail.ids_at, std::as_bytes(std::span(told.ids)), sizeof(FooterId));
  const auto tables_end = check_table(segment, bytes, tail.frames_at,
                                      std::as_bytes(std::span(told.frames)), sizeof(FooterFrame));
  check_rest_of_footer(segment, bytes, tables_end);
}

// Beside a process that writes: the claims first, then the names of the files, then their bytes.
Result<VerifyReport> verify_live(Io& io, const std::string& directory,
                                 const VerifyOptions& options) {
  constexpr int kAttempts = 5;  // a file that is being made may go away while it is looked at
  for (int attempt = 1;; ++attempt) {
    auto before = look_at_log(io, directory);
    auto durable = before ? durable_in(io, *before) : std::unexpected(before.error());
    auto log = look_at_log(io, directory);
    if (durable && log) return Verifier(io, std::move(*log), options, *durable).run();
    if (attempt == kAttempts) return std::unexpected(durable ? log.error() : durable.error());
  }
}

}  // namespace

bool VerifyReport::is_sound() const {
  return std::none_of(damages.begin(), damages.end(),
                      [](const Damage& damage) { return damage.is_acknowledged; });
}

Result<VerifyReport> verify(const std::string& directory, const VerifyOptions& options) {
  PosixIo io;
  return verify(io, directory, options);
}

Result<VerifyReport> verify(Io& io, const std::string& directory, const VerifyOptions& options) {
  auto lock = lock_store(io, {.directory = directory, .access = Access::kReadOnly});
  if (!lock && lock.error().code == ErrorCode::kLocked) return verify_live(io, directory, options);
  if (!lock) return std::unexpected(lock.error());
  auto log = look_at_log(io, directory);
  if (!log) return std::unexpected(log.error());
  return Verifier(io, std::move(*log), options, std::nullopt).run();
}

}  // namespace esdb::storage
