#include "storage/segment_checking.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/check.h"
#include "storage/footer.h"
#include "storage/frame_check.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kSectorBytes = 4096;

}  // namespace

SegmentChecking::SegmentChecking(const FooterTail& tail, std::uint64_t seed,
                                 std::unique_ptr<File> file, const std::string& why_not)
    : tail_(tail),
      seed_(seed),
      file_(std::move(file)),
      next_(tail.first_position),
      next_frame_(tail.first_frame) {
  tables_end_ = tail.frames_at + table_bytes(tail.frame_count, kFramesPerBlock);
  if (file_) return;
  found_.push_back({.offset = 0,
                    .positions = {next_, tail.first_position + tail.event_count - 1},
                    .what = "the file cannot be read, " + why_not});
  phase_ = Phase::kDone;
}

void SegmentChecking::damage(std::uint64_t offset, std::string what) {
  if (std::exchange(in_damage_, true)) return;
  if (!unreadable_.empty()) what += " (" + unreadable_ + ")";
  found_.push_back({.offset = offset, .positions = {next_, next_.value - 1}, .what = what});
}

// What was damaged held the events up to `behind`.
void SegmentChecking::settle_positions(Position behind) {
  if (!std::exchange(in_damage_, false)) return;
  found_.back().positions.to = behind.value - 1;
  unreadable_.clear();
}

IoResult<std::size_t> SegmentChecking::begin() {
  auto header = read_segment_header(*file_);
  if (!header && is_passing(header.error())) return std::unexpected(header.error());
  // Its frames begin where every segment's do that has such blocks.
  std::size_t block_bytes = std::max<std::size_t>(tail_.unit_bytes, kSectorBytes);
  if (header && *header)
    block_bytes = (*header)->block_bytes;
  else
    found_.push_back({.positions = {next_, next_.value - 1},
                      .what = header ? "its header is damaged"
                                     : "its header cannot be read, " + to_string(header.error())});
  auto size = file_->size();
  if (size && *size < tables_end_ + kFooterBlockBytes)
    found_.push_back(
        {.offset = *size, .positions = {next_, next_.value - 1}, .what = "the file was cut short"});
  go_to(first_frame_at(block_bytes));
  phase_ = Phase::kFrames;
  return std::size_t{0};
}

void SegmentChecking::go_to(std::uint64_t offset) {
  at_ = offset;
  read_to_ = offset / kSectorBytes * kSectorBytes;
  skip_ = offset - read_to_;
  used_ = filled_ = 0;
}

// One read, up to `end` of the file; what cannot be read is zero. Where a chunk fails, its sectors
// are read one in a step: a failing device takes its time, and others wait for this thread.
IoResult<std::size_t> SegmentChecking::read_on(std::uint64_t end) {
  if (read_to_ >= end) return std::size_t{0};
  auto want = padded(std::min<std::uint64_t>(kStepBytes, end - read_to_), kSectorBytes);
  if (read_to_ < careful_to_) want = kSectorBytes;
  auto into = chunk_.bytes().first(want);
  auto count = file_->read_device(read_to_, into);
  if (!count && is_passing(count.error())) return std::unexpected(count.error());
  if (!count && want > kSectorBytes) {
    careful_to_ = read_to_ + want;
    want = kSectorBytes;
    into = into.first(want);
    count = file_->read_device(read_to_, into);
  }
  if (!count) {
    unreadable_ = to_string(count.error());
    std::ranges::fill(into, std::byte{0});
  } else {
    std::ranges::fill(into.subspan(std::min(*count, want)), std::byte{0});
  }
  // What is checked makes room.
  const auto rest = filled_ - used_;
  if (used_ > 0) std::memmove(pending_.data(), bytes().data(), rest);
  filled_ = rest + want;
  if (pending_.size() * 8 < filled_) pending_.resize(filled_ / 8);
  std::memcpy(reinterpret_cast<std::byte*>(pending_.data()) + rest, into.data(), want);
  read_to_ += want;
  used_ = std::exchange(skip_, 0);
  return want;
}

// false: more of it has to be read.
bool SegmentChecking::check_frame() {
  const FramePlace place{tail_.segment, at_, seed_, tail_.unit_bytes};
  const auto here = bytes();
  const auto pass = [&](std::size_t size) {
    used_ += size;
    at_ += size;
    return true;
  };
  if (here.size() < tail_.unit_bytes) return false;
  const auto header = frame_header_at(here, place);
  if (!header) {
    damage(at_, "the header of a frame fails its checksum");
    return pass(tail_.unit_bytes);
  }
  const auto size = frame_bytes(*header, tail_.unit_bytes);
  if (at_ + size > tail_.frames_end) {
    damage(at_, "a frame is longer than its segment");
    return pass(tail_.unit_bytes);
  }
  if (here.size() < size) return false;
  std::vector<ScannedRecord> records;
  auto why = check_content(*header, here.first(size), place, records);
  if (why.empty() && header->frame_number < next_frame_) why = "it stands in the wrong place";
  if (!why.empty()) {
    damage(at_, "in a frame, " + why);
    return pass(tail_.unit_bytes);
  }
  if (header->frame_number > next_frame_) damage(at_, "frames are missing before this one");
  settle_positions(header->first_position);
  next_ = header->first_position + header->event_count;
  next_frame_ = header->frame_number + 1;
  return pass(size);
}

void SegmentChecking::check_frames() {
  while (at_ < tail_.frames_end)
    if (!check_frame()) return;
  end_frames();
}

void SegmentChecking::end_frames() {
  if (next_frame_ != tail_.first_frame + tail_.frame_count)
    damage(at_, "its last frames are missing");
  settle_positions(tail_.first_position + tail_.event_count);
  go_to(tail_.offsets_at);
  phase_ = Phase::kTables;
}

void SegmentChecking::check_tables() {
  for (; at_ < tables_end_ && bytes().size() >= kFooterBlockBytes;
       at_ += kFooterBlockBytes, used_ += kFooterBlockBytes) {
    FooterBlock block;
    std::memcpy(block.data(), bytes().data(), block.size());
    if (is_sound(block, {tail_.segment, at_}, seed_)) continue;
    if (!std::exchange(footer_damaged_, true))
      found_.push_back({.offset = at_,
                        .positions = {next_, next_.value - 1},
                        .what = "a block of its footer fails its checksum"});
  }
  if (at_ >= tables_end_) phase_ = Phase::kTail;
}

IoResult<std::size_t> SegmentChecking::check_tail() {
  auto tail = read_footer_tail(*file_, tail_.segment, seed_);
  if (!tail && is_passing(tail.error())) return std::unexpected(tail.error());
  if (!tail || !*tail || std::memcmp(&**tail, &tail_, sizeof(tail_)) != 0)
    found_.push_back({.offset = tables_end_,
                      .positions = {next_, next_.value - 1},
                      .what = "the end of its footer is damaged"});
  phase_ = Phase::kDone;
  return kFooterBlockBytes;
}

IoResult<std::size_t> SegmentChecking::step() {
  switch (phase_) {
    case Phase::kBegin:
      if (auto begun = begin(); !begun) return begun;
      [[fallthrough]];
    case Phase::kFrames: {
      auto count = read_on(tail_.frames_end);
      if (count) check_frames();
      // Nothing more comes, and the last frame is not whole.
      if (count && *count == 0 && phase_ == Phase::kFrames) end_frames();
      return count;
    }
    case Phase::kTables: {
      auto count = read_on(tables_end_);
      if (count) check_tables();
      return count;
    }
    case Phase::kTail:
      return check_tail();
    case Phase::kDone:
      return std::size_t{0};
  }
  ESDB_CHECK(false);
  std::unreachable();
}

}  // namespace esdb::storage
