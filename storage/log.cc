#include "storage/log.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"
#include "storage/log_state.h"
#include "storage/sabotage.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

// Shares of OpenOptions::memory (docs/architecture.md adds them up).
std::size_t footer_blocks(std::size_t memory) { return memory / 96 / sizeof(FooterBlock); }

}  // namespace

Log::State::State(Io& io_used, LogOptions options_given)
    : io(io_used),
      options(std::move(options_given)),
      directory(options.directory + "/log"),
      files(io, directory, footer_blocks(options.memory)),
      read_rings(io) {}

Log::Log(std::unique_ptr<State> state) : state_(std::move(state)) {
  ESDB_CHECK(state_->list != nullptr && !state_->list->segments.empty());
  state_->drivers_list = state_->list;
  durable_.store(state_->list->segments.back().open->last().value, std::memory_order_release);
  covered_frame_.store(durable_frame(), std::memory_order_release);
}

Log::~Log() = default;

bool Log::has_room(std::size_t content_bytes, std::size_t events) const {
  const auto& state = *state_;
  if (!state.needs_epoch) return state.open->has_room(content_bytes, events);
  // The epoch's frame goes before it, in units of its own.
  const auto epoch_bytes =
      padded(sizeof(FrameHeader) + sizeof(Uuid), state.open->header().unit_bytes);
  return state.open->has_room(epoch_bytes + content_bytes, events, 2);
}

Log::Rolled Log::roll() {
  auto& state = *state_;
  ESDB_CHECK(state.in_flight.empty() && !state.open->is_placing());
  ESDB_CHECK(state.open->last_frame() == durable_frame());
  std::shared_ptr<const SegmentList> dropped;  // outside the lock
  std::lock_guard lock(state.mutex);
  dropped = std::exchange(state.drivers_list, state.list);
  if (state.prepared.empty()) return state.disk_is_full ? Rolled::kDiskFull : Rolled::kNotReady;
  auto next = std::move(state.prepared.front());
  state.prepared.pop_front();
  const auto& full = *state.open;
  ESDB_CHECK(next->number() == full.number() + 1);
  next->begin({.last = full.last(),
               .frame_number = full.last_frame(),
               .epoch_id = full.epoch_id(),
               .commit_time = full.commit_time()});
  auto list = std::make_shared<SegmentList>(*state.list);
  list->segments.push_back(segment_of(next));
  state.list = state.drivers_list = std::move(list);
  state.open = std::move(next);
  state.wants_next = false;
  return Rolled::kYes;
}

bool Log::needs_epoch() const { return state_->needs_epoch; }

Log::Ended Log::place_epoch() {
  auto& state = *state_;
  ESDB_CHECK(state.needs_epoch);
  Uuid epoch_id{};
  state.io.random(epoch_id);
  auto& open = *state.open;
  const auto parent = open.epoch_id();
  open.begin_frame({.kind = FrameKind::kEpoch,
                    .commit_time = state.io.now().time_since_epoch().count(),
                    .epoch_id = epoch_id});
  open.add_parent_epoch(parent);
  state.needs_epoch = false;
  const auto ended = open.end_frame(durable_frame());
  state.in_flight.push_back(
      {.mark = ended.mark, .bytes = ended.write.bytes.size(), .is_epoch = true});
  return ended;
}

void Log::begin_frame(Time commit_time) {
  ESDB_CHECK(!state_->needs_epoch);
  state_->open->begin_frame({.kind = FrameKind::kCommits,
                             .commit_time = commit_time.time_since_epoch().count(),
                             .epoch_id = state_->open->epoch_id()});
}

Position Log::add_event(const NewRecord& record) { return state_->open->add_event(record); }

void Log::add_tracking(std::string_view source, std::uint64_t position, bool ends_commit) {
  state_->open->add_tracking(source, position, ends_commit);
}

Log::Ended Log::end_frame() {
  let_go_of_sealed();
  const auto watermark =
      sabotaged(Sabotage::kWatermarkInPositions) ? durable().value : durable_frame();
  const auto ended = state_->open->end_frame(watermark);
  state_->read_rings.in_flight().give_way();
  state_->in_flight.push_back({.mark = ended.mark, .bytes = ended.write.bytes.size()});
  return ended;
}

std::uint64_t Log::complete(std::uint64_t frame_number) {
  auto& state = *state_;
  ESDB_CHECK(!state.in_flight.empty());
  const auto first = state.in_flight.front().mark.frame_number;
  ESDB_CHECK(frame_number >= first && frame_number - first < state.in_flight.size());
  auto& completed = state.in_flight[frame_number - first];
  ESDB_CHECK(!std::exchange(completed.done, true));
  FrameMark durable{.frame_number = durable_frame(), .last = this->durable()};
  std::uint64_t bytes = 0;
  bool epoch_began = false;
  while (!state.in_flight.empty() && state.in_flight.front().done) {
    durable = state.in_flight.front().mark;
    bytes += state.in_flight.front().bytes;
    epoch_began = epoch_began || state.in_flight.front().is_epoch;
    state.in_flight.pop_front();
  }
  if (bytes == 0) return durable.frame_number;
  if (epoch_began || !state.wants_next) {
    std::lock_guard lock(state.mutex);
    state.durable_epoch = durable.epoch_id;
    state.wants_next = true;
  }
  ESDB_CHECK(durable.last.value >= durable_.load(std::memory_order_relaxed));
  state.bytes.fetch_add(bytes, std::memory_order_relaxed);
  // A reader that finds the position finds its frame; one that finds the covered frame finds the
  // position.
  state.durable_frame.store(durable.frame_number, std::memory_order_release);
  durable_.store(durable.last.value, std::memory_order_release);
  covered_frame_.store(durable.frame_number, std::memory_order_release);
  return durable.frame_number;
}

Position Log::written() const { return state_->open->last(); }

Time Log::last_commit_time() const {
  return Time{std::chrono::nanoseconds{state_->open->commit_time()}};
}

std::size_t Log::content_bytes(std::size_t encoded_bytes) const {
  return record_bytes(encoded_bytes);
}

// The driver's view of the segments holds their arenas, which the next segment waits for.
void Log::let_go_of_sealed() const {
  auto& state = *state_;
  std::shared_ptr<const SegmentList> dropped;  // outside the lock
  std::lock_guard lock(state.mutex);
  if (state.drivers_list != state.list) dropped = std::exchange(state.drivers_list, state.list);
}

std::optional<ScannedRecord> Log::in_memory(Position position) const {
  auto& state = *state_;
  ESDB_CHECK(position.value != 0 && position <= written());
  let_go_of_sealed();
  const auto& list = *state.drivers_list;
  const auto& segment = list.segments[list.of_position(position)];
  if (!segment.open) return std::nullopt;
  const auto entry = segment.open->offset_entry(position.value - segment.first.value);
  const auto offset = std::size_t{entry & ~kOffsetEndsCommit} * 8;
  return trusted_record_at(segment.open->image().subspan(offset), position);
}

std::uint64_t Log::durable_frame() const {
  return state_->durable_frame.load(std::memory_order_acquire);
}

const Uuid& Log::store_id() const { return state_->store_id; }
std::uint64_t Log::seed() const { return state_->seed; }

Uuid Log::epoch_id() const {
  std::lock_guard lock(state_->mutex);
  return state_->durable_epoch;
}

std::uint64_t Log::bytes() const { return state_->bytes.load(std::memory_order_relaxed); }
std::uint64_t Log::segments() const { return state_->segments()->segments.size(); }

}  // namespace esdb::storage
