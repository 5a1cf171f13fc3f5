#include "storage/repair_plan.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/check.h"
#include "storage/frame_check.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

using Kind = DamagedFile::Kind;
using How = PlannedSegment::How;
using Edge = OpenSegment::Before;

constexpr std::size_t kStreamsNamed = 20;

std::unexpected<Error> cannot(std::string why) {
  return std::unexpected(
      Error{.code = ErrorCode::kRefused,
            .message = "this cannot be repaired: " + why + "; restore the store from a backup"});
}

class Planner {
 public:
  Planner(Io& io, const DamagedLog& log, const IndexedFrame& indexed_frame)
      : io_(io), log_(log), indexed_frame_(indexed_frame) {}

  Result<RepairPlan> run();

 private:
  Result<bool> place(const DamagedFile& file);
  Result<void> place_sealed(const DamagedFile& file);
  Result<bool> place_unsealed(const DamagedFile& file);
  Result<bool> substitute(const DamagedFile& file, std::string what);
  void name_gaps(const DamagedFile& file, const PlannedSegment& part, const std::string& what);
  Result<void> settle_end();
  Result<void> name_cut(const DamagedFile& file, std::uint64_t offset, std::string what);
  SegmentHeader header_of(const DamagedFile& file) const;
  const DamagedFile* next_with_data(const DamagedFile& file) const;

  Io& io_;
  const DamagedLog& log_;
  const IndexedFrame& indexed_frame_;
  RepairPlan plan_{};
  Edge end_{};                          // of what is placed
  std::uint64_t claimed_ = 0;           // D, by the log itself
  const DamagedFile* open_ = nullptr;   // the one that the log ends in
  std::uint64_t open_end_ = 0;          // behind its last frame that follows
  const DamagedFile* stops_ = nullptr;  // what nothing can be placed from on
};

const DamagedFile* Planner::next_with_data(const DamagedFile& file) const {
  for (auto i = std::size_t{file.number}; i < log_.files.size(); ++i)
    if (log_.files[i].holds_data()) return &log_.files[i];
  return nullptr;
}

SegmentHeader Planner::header_of(const DamagedFile& file) const {
  if (file.header.number == file.number) return file.header;
  // Missing, or another store's: as the neighbours.
  SegmentHeader header;
  for (const auto& other : log_.files) {
    const bool has_one = other.kind == Kind::kSealed || other.kind == Kind::kUnsealed;
    if (has_one && (other.number < file.number || header.store_id == Uuid{})) header = other.header;
  }
  header.number = file.number;
  header.checksum = checksum_of(header);
  return header;
}

bool follows(const KnownFrame& frame, const Edge& end) {
  return check_follows(frame.header,
                       {.frame_number = end.frame_number + 1,
                        .first_position = end.last.value + 1,
                        .epoch_id = end.epoch_id,
                        .commit_time_min = end.commit_time},
                       frame.parent_epoch_id)
      .empty();
}

Edge behind(const FrameHeader& header) {
  return {.last = header.first_position + header.event_count - 1,
          .frame_number = header.frame_number,
          .epoch_id = header.epoch_id,
          .commit_time = header.commit_time};
}

Result<void> Planner::place_sealed(const DamagedFile& file) {
  const auto begins = *file.begins_behind();
  const bool fits = begins.last == end_.last && begins.frame_number == end_.frame_number &&
                    begins.epoch_id == end_.epoch_id;
  if (!fits) {
    // Alone against both of its neighbours, it is the stranger.
    const auto* next = next_with_data(file);
    const auto after = next ? next->begins_behind() : std::nullopt;
    const auto own_end = file.tail.first_frame + file.tail.frame_count - 1;
    if (after && after->frame_number != own_end && after->frame_number > end_.frame_number &&
        after->last >= end_.last) {
      auto done = substitute(file, "it does not belong between its neighbours");
      if (!done) return std::unexpected(done.error());
      return {};
    }
    return cannot(file.path +
                  " does not begin where the segment before it ends, and nothing tells "
                  "which of the two is right");
  }
  plan_.segments.push_back({.how = How::kLink, .number = file.number, .header = file.header});
  ++plan_.segments_kept;
  end_ = {.last = file.tail.first_position + file.tail.event_count - 1,
          .frame_number = file.tail.first_frame + file.tail.frame_count - 1,
          .epoch_id = file.tail.last_epoch_id,
          .commit_time = file.tail.last_commit_time};
  return {};
}

// false: the log ends here.
Result<bool> Planner::place_unsealed(const DamagedFile& file) {
  if (!file.has_sound_header)
    plan_.items.push_back({.kind = RepairItem::Kind::kHeader,
                           .segment = file.number,
                           .file = file.path,
                           .what = "its header is damaged; it is made again from what the others "
                                   "say: nothing is lost by that"});
  auto end = end_;
  auto frames_end = std::uint64_t{first_frame_at(file.header.block_bytes)};
  for (const auto& frame : file.frames) {
    if (frame.header.offset != frames_end || !follows(frame, end)) break;
    end = behind(frame.header);
    frames_end = frame.end();
  }
  const auto* next = next_with_data(file);
  const auto begins = next ? next->begins_behind() : std::nullopt;
  if (begins && begins->frame_number != end.frame_number)
    return substitute(file, "frames in it are damaged or missing");
  if (begins && (begins->last != end.last || begins->epoch_id != end.epoch_id))
    return cannot(next->path +
                  " does not begin where the segment before it ends, and nothing "
                  "tells which of the two is right");
  plan_.segments.push_back(
      {.how = How::kCopy, .number = file.number, .header = file.header, .frames_end = frames_end});
  ++plan_.segments_kept;
  end_ = end;
  open_ = &file;
  open_end_ = frames_end;
  if (next != nullptr && !begins) stops_ = next;
  return begins.has_value();
}

// Something in the middle, or all of it, is gone; where the next one goes on says how much.
Result<bool> Planner::substitute(const DamagedFile& file, std::string what) {
  const auto* next = next_with_data(file);
  const auto begins = next ? next->begins_behind() : std::nullopt;
  if (!begins) {
    stops_ = &file;
    return false;
  }
  const auto gap = next->number - file.number;  // files, this one among them
  if (begins->frame_number < end_.frame_number + gap || begins->last < end_.last)
    return cannot(next->path + " begins before the segments before it end");
  PlannedSegment part{.how = How::kSubstitute,
                      .number = file.number,
                      .header = header_of(file),
                      .before = end_,
                      .behind = *begins};
  part.behind.frame_number = begins->frame_number - (gap - 1);  // one for each that follows
  if (gap > 1) part.behind.epoch_id = end_.epoch_id;
  part.frames_end = first_frame_at(part.header.block_bytes);
  part.behind.commit_time = std::max(end_.commit_time, begins->commit_time);
  auto so_far = end_;
  for (const auto& frame : file.frames) {
    const auto& header = frame.header;
    const bool fits = header.frame_number > so_far.frame_number &&
                      header.frame_number <= part.behind.frame_number &&
                      header.first_position > so_far.last.value &&
                      header.first_position + header.event_count - 1 <= part.behind.last.value &&
                      header.commit_time >= so_far.commit_time &&
                      header.commit_time <= part.behind.commit_time;
    if (!fits) continue;
    so_far = behind(header);
    part.whole.push_back(frame);
    part.frames_end = frame.end();
  }
  name_gaps(file, part, what);
  end_ = part.behind;
  plan_.segments.push_back(std::move(part));
  return true;
}

void Planner::name_gaps(const DamagedFile& file, const PlannedSegment& part,
                        const std::string& what) {
  auto so_far = part.before;
  std::uint64_t offset = first_frame_at(part.header.block_bytes);
  const auto name = [&](const Edge& to) {
    if (to.frame_number == so_far.frame_number) return;
    RepairItem item{.kind = RepairItem::Kind::kCorrupt,
                    .segment = file.number,
                    .file = file.path,
                    .offset = part.whole.empty() ? 0 : offset,
                    .first_frame = so_far.frame_number + 1,
                    .last_frame = to.frame_number,
                    .what = what};
    if (to.last > so_far.last) {
      item.first = so_far.last.value + 1;
      item.last = to.last;
    }
    plan_.items.push_back(std::move(item));
  };
  for (const auto& frame : part.whole) {
    name({.last = frame.header.first_position - 1, .frame_number = frame.header.frame_number - 1});
    so_far = behind(frame.header);
    offset = frame.end();
  }
  name(part.behind);
}

// false: the log ends before it, or in it.
Result<bool> Planner::place(const DamagedFile& file) {
  open_ = nullptr;
  switch (file.kind) {
    case Kind::kSealed: {
      auto placed = place_sealed(file);
      if (!placed) return std::unexpected(placed.error());
      return true;
    }
    case Kind::kUnsealed:
      return place_unsealed(file);
    case Kind::kMissing:
      return substitute(file, "it is missing");
    case Kind::kForeign:
      return substitute(file, "it belongs to another store, or has another number");
    case Kind::kNothing:
      return substitute(file, "nothing is left in it");
  }
  ESDB_CHECK(false);
  std::unreachable();
}

Result<void> Planner::name_cut(const DamagedFile& file, std::uint64_t offset, std::string what) {
  RepairItem item{.kind = RepairItem::Kind::kCut,
                  .segment = file.number,
                  .file = file.path,
                  .offset = offset,
                  .what = std::move(what)};
  if (file.kind == Kind::kSealed) {
    item.first_frame = file.tail.first_frame;
    item.last_frame = file.claimed;
    item.first = file.tail.first_position;
    item.last = file.tail.first_position + file.tail.event_count - 1;
    item.readable = file.tail.event_count;
  } else {
    item.first_frame = end_.frame_number + 1;
    item.first = end_.last.value + 1;
    for (const auto& frame : file.frames)
      if (frame.header.offset >= offset) item.readable += frame.header.event_count;
    if (item.readable > 0) {
      auto streams = streams_behind(io_, file, offset, kStreamsNamed);
      if (!streams) return std::unexpected(streams.error());
      item.streams = std::move(*streams);
    }
  }
  plan_.items.push_back(std::move(item));
  return {};
}

// What lies behind the last frame that follows, and what takes the next one.
Result<void> Planner::settle_end() {
  plan_.last = end_.last;
  plan_.last_frame = end_.frame_number;
  const bool newest_gone = open_ == nullptr && stops_ == nullptr;
  const auto indexed = indexed_frame_ ? indexed_frame_(end_.epoch_id) : 0;
  const auto durable = std::max(claimed_, indexed);
  std::uint64_t last_corrupt = 0;
  for (const auto& item : plan_.items)
    if (item.kind == RepairItem::Kind::kCorrupt) last_corrupt = item.last_frame;
  plan_.reads_by_position_only =
      last_corrupt != 0 && (indexed < last_corrupt || indexed > end_.frame_number);
  plan_.begins_epoch = newest_gone || stops_ != nullptr || durable > end_.frame_number;
  if (open_ == nullptr) {
    auto header =
        plan_.segments.empty() ? header_of(log_.files.front()) : plan_.segments.back().header;
    header.number = static_cast<std::uint32_t>(plan_.segments.size()) + 1;
    header.checksum = checksum_of(header);
    plan_.segments.push_back({.how = How::kNew, .number = header.number, .header = header});
  }
  if (!plan_.begins_epoch) return {};
  const auto frames = durable > end_.frame_number
                          ? "frames up to " + std::to_string(durable) + " were durable"
                          : std::string("it held what was newest");
  if (newest_gone) {
    const auto number = log_.files.back().number + 1;
    const auto& last = log_.files.back().path;
    plan_.items.push_back(
        {.kind = RepairItem::Kind::kCut,
         .segment = number,
         .file = last.substr(0, last.rfind('/') + 1) + segment_name(number),
         .first_frame = end_.frame_number + 1,
         .last_frame = durable > end_.frame_number ? durable : 0,
         .first = end_.last.value + 1,
         .what = "it is gone: a segment is sealed only when the one behind it exists; " + frames});
    return {};
  }
  if (open_ != nullptr && (stops_ == nullptr || open_->written_to > open_end_)) {
    if (auto named = name_cut(*open_, open_end_, "damaged or missing from here on: " + frames);
        !named)
      return named;
    plan_.items.back().last_frame = durable > end_.frame_number ? durable : 0;
  }
  for (const auto& file : log_.files) {
    const auto from = open_ != nullptr ? open_->number + 1 : stops_->number;
    if (file.number < from || (!file.holds_data() && &file != stops_)) continue;
    if (auto named = name_cut(file, 0, "nothing tells where it goes on"); !named) return named;
  }
  return {};
}

Result<RepairPlan> Planner::run() {
  plan_.aside = log_.others;
  for (const auto& file : log_.files) claimed_ = std::max(claimed_, file.claimed);
  for (const auto& file : log_.files) {
    auto goes_on = place(file);
    if (!goes_on) return std::unexpected(goes_on.error());
    if (!*goes_on) break;
  }
  const auto placed = plan_.segments.size();
  if (auto settled = settle_end(); !settled) return std::unexpected(settled.error());
  for (const auto& file : log_.files)
    if (file.number > placed && !file.holds_data() && file.kind != Kind::kMissing)
      plan_.aside.push_back(segment_name(file.number));
  return std::move(plan_);
}

}  // namespace

Result<RepairPlan> plan_repair(Io& io, const DamagedLog& log, const IndexedFrame& indexed_frame) {
  return Planner(io, log, indexed_frame).run();
}

}  // namespace esdb::storage
