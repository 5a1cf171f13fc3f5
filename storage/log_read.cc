// Log's reading side: events by position, frames, times, ids.
#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>

#include "storage/batch_filler.h"
#include "storage/check.h"
#include "storage/frame_check.h"
#include "storage/log.h"
#include "storage/log_state.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kEventGuess = 1024;
constexpr int kRoundsMax = 3;  // a record's beginning, the rest of a long one, and both

// Events that lie anywhere: the blocks that say where are read all at once, then the records.
class ScatteredReader {
 public:
  ScatteredReader(const ReadScope& scope, RingPool& rings) : scope_(scope), rings_(rings) {}

  using Found = Result<BatchFiller::Found>;
  std::vector<Found> find(std::span<const Position> positions) {
    const LentRing ring(rings_, positions.size() > 1 && is_any_sealed(positions));
    std::optional<GatheredReads> reads;
    if (ring.get() != nullptr) reads.emplace(*ring.get(), rings_.in_flight());
    if (reads) fetch_places(positions, *reads);
    std::vector<Result<BatchFiller::Located>> located;
    located.reserve(positions.size());
    for (const auto position : positions)
      located.push_back(BatchFiller::locate(reader_of(position), position));
    std::vector<Found> found;
    found.reserve(positions.size());
    for (const auto& one : located)
      found.emplace_back(std::unexpected(one ? Error{} : one.error()));
    if (reads) read_at_once(located, *reads, found);
    for (std::size_t i = 0; i < positions.size(); ++i)
      if (located[i] && !found[i])
        found[i] = BatchFiller::read(reader_of(positions[i]), *located[i]);
    return found;
  }

 private:
  SegmentReader& reader_of(Position position) {
    ESDB_CHECK(position.value != 0 && position <= scope_.last());
    const auto index = scope_.list().of_position(position);
    auto known = readers_.find(index);
    if (known == readers_.end()) known = readers_.emplace(index, scope_.reader(index)).first;
    return known->second;
  }
  bool is_any_sealed(std::span<const Position> positions) {
    return std::ranges::any_of(positions,
                               [this](Position p) { return !reader_of(p).is_in_memory(); });
  }
  // Into the page cache at least: what is read by itself afterwards is there.
  void fetch_places(std::span<const Position> positions, GatheredReads& reads) {
    for (const auto position : positions) {
      auto& reader = reader_of(position);
      reader.gather(&reads);
      [[maybe_unused]] const auto place = reader.event_place(position);  // asked again by locate()
      reader.gather(nullptr);
    }
    reads.fetch();
  }
  void read_at_once(const std::vector<Result<BatchFiller::Located>>& located, GatheredReads& reads,
                    std::vector<Found>& found) {
    for (int round = 0; round < kRoundsMax; ++round) {
      for (std::size_t i = 0; i < located.size(); ++i) {
        if (!located[i] || found[i]) continue;
        auto& reader = reader_of(located[i]->position);
        reader.gather(&reads);
        found[i] = BatchFiller::read(reader, *located[i]);
        reader.gather(nullptr);
      }
      if (!reads.fetch()) return;
    }
  }

  const ReadScope& scope_;
  RingPool& rings_;
  std::unordered_map<std::size_t, SegmentReader> readers_;
};

}  // namespace

ReadScope::ReadScope(const Log& log, const Log::State& state) : state_(state) {
  // The position first: its frame and its segment are then found.
  end_.last = log.durable();
  end_.frame_number = log.durable_frame();
  list_ = state.segments();
}

SegmentReader ReadScope::reader(std::size_t index) const {
  const auto& segments = list_->segments;
  SegmentEnd end = end_;
  if (index + 1 < segments.size()) {
    const auto& next = segments[index + 1];
    end.last = std::min<std::uint64_t>(end.last.value, next.first.value - 1);
    end.frame_number = std::min(end.frame_number, next.first_frame - 1);
  }
  return SegmentReader(segments[index], end, state_.seed, state_.files);
}

Result<Position> Log::read_forwards(Position after, Position up_to, const ReadBudget& budget,
                                    BatchMemory& batch) const {
  const ReadScope scope(*this, *state_);
  up_to = std::min(up_to.value, scope.last().value);
  BatchFiller filler(budget, batch);
  Position given = after;
  while (given < up_to && !filler.is_full()) {
    auto reader = scope.reader_of(given.value + 1);
    const Position to = std::min(up_to.value, reader.last().value);
    while (given < to && !filler.is_full()) {
      auto last = filler.add_run(reader, {given.value + 1, to});
      if (!last && filler.events() > 0) return given;  // the next call meets it first
      if (!last) return last;
      if (*last <= given && filler.is_full()) break;
      if (*last <= given)
        return reader.damaged(0, {given.value + 1, given.value + 1},
                              "its footer and its frames contradict each other");
      given = *last;
    }
  }
  return given;
}

Result<Position> Log::read_backwards(Position from, Position down_to, const ReadBudget& budget,
                                     BatchMemory& batch) const {
  const ReadScope scope(*this, *state_);
  down_to = std::max<std::uint64_t>(down_to.value, 1);
  const Position asked_from = from;
  from = std::min(from.value, scope.last().value);
  BatchFiller filler(budget, batch);
  std::optional<SegmentReader> reader;
  for (Position next = from; next >= down_to && next.value > 0; next = next.value - 1) {
    if (!reader || next < reader->first()) reader.emplace(scope.reader_of(next));
    auto added = filler.add_one(*reader, next);
    const auto last = [&] { return Position{next.value + 1}; };
    if (!added && filler.events() > 0) return last();
    if (!added) return std::unexpected(added.error());
    if (!*added) return last();
  }
  return filler.events() > 0 ? down_to : Position{asked_from.value + 1};
}

Result<std::size_t> Log::read_each(std::span<const Position> positions, const ReadBudget& budget,
                                   BatchMemory& batch) const {
  const ReadScope scope(*this, *state_);
  BatchFiller filler(budget, batch);
  ScatteredReader scattered(scope, state_->read_rings);
  for (std::size_t i = 0; i < positions.size();) {
    // No more at once than may fit.
    const auto at_once = std::min<std::size_t>(kReadsAtOnce, 1 + filler.bytes_left() / kEventGuess);
    const auto part = positions.subspan(i, std::min(at_once, positions.size() - i));
    const auto found = scattered.find(part);
    for (const auto& one : found) {
      if (!one && filler.events() > 0) return i;
      if (!one) return std::unexpected(one.error());
      if (!filler.add(*one)) return i;
      ++i;
    }
  }
  return positions.size();
}

Result<Position> Log::first_at_or_after(Time time) const {
  const ReadScope scope(*this, *state_);
  const Position none = scope.last().value + 1;
  // From the newest backwards: the last segment that begins before it holds it, if any does.
  for (auto index = scope.size(); index-- > 0;) {
    auto reader = scope.reader(index);
    if (reader.frames() == 0) continue;
    if (index > 0 && reader.first_commit_time() >= time.time_since_epoch().count()) continue;
    auto frame = reader.frame_since(time);
    if (!frame) return std::unexpected(frame.error());
    if (*frame == reader.frames()) return std::min(none, Position{reader.last().value + 1});
    auto entry = reader.frame(*frame);
    if (!entry) return std::unexpected(entry.error());
    return std::min(none, Position{entry->first_position});
  }
  return none;
}

Result<FrameMark> Log::frame_of(Position position) const {
  const ReadScope scope(*this, *state_);
  ESDB_CHECK(position.value != 0 && position <= scope.last());
  auto reader = scope.reader_of(position);
  auto index = reader.frame_of(position);
  if (!index) return std::unexpected(index.error());
  auto header = reader.frame_header(*index);
  if (!header) return std::unexpected(header.error());
  return mark_of(*header);
}

Result<std::optional<FrameMark>> Log::frame(std::uint64_t frame_number) const {
  const ReadScope scope(*this, *state_);
  if (frame_number == 0 || frame_number > scope.last_frame() ||
      frame_number < scope.list().segments.front().first_frame)
    return std::nullopt;
  auto reader = scope.reader(scope.list().of_frame(frame_number));
  auto header = reader.frame_header(frame_number - reader.first_frame());
  if (!header) return std::unexpected(header.error());
  return mark_of(*header);
}

void Log::open_files_anew() const { state_->files.forget(); }

std::optional<FooterTail> Log::footer(std::uint32_t number) const {
  const auto list = state_->segments();
  const auto found = std::ranges::find(list->segments, number, &Segment::number);
  if (found == list->segments.end() || found->sealed == nullptr) return std::nullopt;
  return *found->sealed;
}

void Log::doubt_footer(std::uint32_t number) const { state_->files.doubt_footer(number); }

}  // namespace esdb::storage
