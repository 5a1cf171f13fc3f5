// The part of Index that writes it anew, or on, from the log.
#include <algorithm>
#include <bit>
#include <system_error>
#include <utility>

#include "storage/check.h"
#include "storage/index.h"
#include "storage/index_state.h"
#include "storage/replay.h"

namespace esdb::storage {

namespace {

constexpr std::size_t kReplayedEventBytes = 160;  // in the tail index, where many terms are new
constexpr std::size_t kTableSlots = std::size_t{1} << 16;
constexpr std::size_t kNoLimit = ~std::size_t{0};

std::unexpected<Error> unavailable(std::string what, LmdbError error) {
  return std::unexpected(
      Error{.code = ErrorCode::kUnavailable, .message = std::move(what) + ": " + to_string(error)});
}

// What the log has behind the mark, up to a frame, or as much as makes a generation.
Result<std::shared_ptr<const Generation>> read_generation(const Log& log, const FrameMark& behind,
                                                          std::size_t table_slots,
                                                          std::uint64_t end, std::size_t bytes,
                                                          const std::stop_token& stop = {}) {
  auto generation = std::make_shared<Generation>(behind, table_slots);
  const auto is_full = [&] {
    return generation->end().frame_number == end ||
           (bytes != kNoLimit &&
            (generation->events() >= kGenerationEventsMax || generation->bytes() >= bytes));
  };
  auto scanned = log.scan(behind.frame_number + 1, [&](const ScannedFrame& frame) -> Result<void> {
    replay_frame(frame, *generation);
    if (!is_full() && !stop.stop_requested()) return {};
    return std::unexpected(Error{.code = ErrorCode::kCancelled});  // ends the scan
  });
  if (!scanned && !is_full()) return std::unexpected(scanned.error());
  ESDB_CHECK(is_full());  // the end is durable, so the scan meets it
  return generation;
}

}  // namespace

Result<std::unique_ptr<Environment>> Index::State::make_empty(const std::string& directory,
                                                              Environment::Mode mode) {
  const std::string what = "making an index in " + directory + " failed";
  auto made = Environment::open(directory, mode);
  if (!made) return unavailable(what, made.error());
  auto transaction = Transaction::begin(**made, Transaction::Kind::kWrite);
  if (!transaction) return unavailable(what, transaction.error());
  meta = {};
  meta.store_id = options.store_id;
  meta.next_term = 1;
  if (auto ok = put_meta(*transaction, meta, options.seed); !ok)
    return unavailable(what, ok.error());
  if (auto ok = transaction->commit(); !ok) return unavailable(what, ok.error());
  return std::move(*made);
}

Result<void> Index::State::begin_anew(std::string_view reason) {
  if (files.exists()) say("index: discarded: " + std::string(reason));
  environment.reset();
  if (auto ok = files.discard(); !ok) return ok;
  if (auto ok = files.make(); !ok) return ok;
  auto made = make_empty(options.directory, Environment::Mode::kReadWrite);
  if (!made) return std::unexpected(made.error());
  environment = std::move(*made);
  return {};
}

Result<void> Index::State::begin_rebuild(const Log& log) {
  set_target(mark);
  const auto most = options.replay_events_max != 0
                        ? options.replay_events_max
                        : options.generation_bytes * 4 / kReplayedEventBytes;
  if (log.durable().value - mark.last.value <= most) return {};
  return aim_at_end(log);
}

Result<void> Index::State::aim_at_end(const Log& log) {
  auto last = log.frame(log.durable_frame());
  if (!last) return std::unexpected(last.error());
  ESDB_CHECK(*last);
  set_target(**last);
  phase = mark.frame_number > 0 ? Phase::kBehind : Phase::kBuilding;
  say("index: it is " + std::to_string(target.last.value - mark.last.value) +
      " events behind the log; writing them");
  return {};
}

void Index::State::set_target(const FrameMark& to) {
  target = to;
  target_position.store(to.last.value, std::memory_order_relaxed);
}

// Everything up to where the index was is written anew; what came later is in the tail index.
void Index::State::begin_again() {
  if (phase == Phase::kReady) set_target(to_mark(meta.mark));
  reached.store(0, std::memory_order_relaxed);
  phase = Phase::kBuilding;
  {
    std::unique_lock lock(mutex);
    closing = true;
    changed.wait(lock, [&] { return readers == 0; });
    environment.reset();
    closing = false;
  }
  changed.notify_all();
  writing.reset();
  ahead.reset();
  gathering.reset();
  build.reset();
  building.reset();
  health.forget();
}

void Index::State::set_failure(std::optional<Error> why) {
  const std::lock_guard lock(mutex);
  failure = std::move(why);
}

Result<void> Index::fall_behind(const Log& log, const Error& why) {
  if (auto ok = state_->aim_at_end(log); !ok) return ok;
  state_->set_failure(why);
  return {};
}

Result<void> Index::give_up(const Log& log) {
  auto last = log.frame(log.durable_frame());
  if (!last) return std::unexpected(last.error());
  state_->begin_again();
  state_->set_target(last->value_or(FrameMark{}));
  const std::lock_guard lock(state_->mutex);
  state_->mark = {};
  return {};
}

std::optional<Error> Index::rebuild_failure() const {
  if (state_->phase.load(std::memory_order_acquire) == State::Phase::kReady) return std::nullopt;
  const std::lock_guard lock(state_->mutex);
  return state_->failure;
}

bool Index::needs_rebuild() const {
  return state_->phase.load(std::memory_order_acquire) != State::Phase::kReady ||
         state_->health.is_damaged();
}

Position Index::rebuilt() const {
  return Position{state_->reached.load(std::memory_order_relaxed)};
}

int Index::rebuild_percent() const {
  if (!needs_rebuild()) return 100;
  const auto reached = rebuilt().value;
  const auto target = state_->target_position.load(std::memory_order_relaxed);
  return static_cast<int>(
      std::min<std::uint64_t>(99, reached * 100 / std::max<std::uint64_t>(1, target)));
}

Result<bool> Index::rebuild_step(const Log& log) {
  State& state = *state_;
  if (!needs_rebuild()) return true;
  if (state.health.is_damaged()) state.begin_again();
  if (auto ok = state.prepare_step(); !ok) return std::unexpected(ok.error());
  if (state.building) {
    auto is_all = state.build_step(log);
    return is_all && *is_all ? finish_rebuild() : is_all;
  }
  if (state.meta.mark.frame_number == state.target.frame_number) return finish_rebuild();

  std::shared_ptr<const Generation> generation;
  if (state.writing) {
    generation = state.writing->generation();
  } else {
    auto next = state.take_next(log);
    if (!next) return std::unexpected(next.error());
    generation = *std::move(next);
  }
  auto is_all = state.commit(generation);
  if (!is_all) {
    // An environment whose commit failed is not written to again.
    if (is_all.error().code != ErrorCode::kDiskFull) state.close_environments();
    return is_all;
  }
  if (state.meta.mark.frame_number != state.target.frame_number) return false;
  return finish_rebuild();
}

Result<bool> Index::State::build_step(const Log& log) {
  if (meta.mark.frame_number != target.frame_number) {
    if (!gathering) {
      auto next = take_next(log);
      if (!next) return std::unexpected(next.error());
      gathering = *std::move(next);
    }
    if (auto ok = gather(gathering); !ok) return std::unexpected(ok.error());
    gathering.reset();
    return false;
  }
  if (auto ok = reserve(*building, options.dirty_bytes * 2); !ok)
    return std::unexpected(ok.error());
  auto is_all = write_gathered();
  if (!is_all && is_all.error().code != ErrorCode::kDiskFull) close_environments();
  return is_all;
}

Result<void> Index::State::gather(const std::shared_ptr<const Generation>& generation) {
  const std::size_t sources = generation->bytes() + 64 * kPageBytes;
  if (auto ok = reserve(*building, sources); !ok) return ok;
  if (auto ok = build->add(*generation); !ok) return ok;
  const auto write = [&]() -> Result<void> {
    auto transaction = Transaction::begin(*building, Transaction::Kind::kWrite);
    if (!transaction) return failed(transaction.error());
    MetaRow next = meta;
    GenerationCommit commit(generation, options.seed, health);
    if (auto ok = commit.write_without_terms(*transaction, next); !ok) return ok;
    if (auto ok = transaction->commit(); !ok) return failed(ok.error());
    meta = next;
    return {};
  };
  auto written = write();
  if (!written) close_environments();
  note_reached();
  return written;
}

Result<bool> Index::State::write_gathered() {
  auto transaction = Transaction::begin(*building, Transaction::Kind::kWrite);
  if (!transaction) return failed(transaction.error());
  MetaRow next = meta;
  auto is_all = build->write(*transaction, next, options.dirty_bytes);
  if (!is_all) return is_all;
  if (auto ok = transaction->commit(); !ok) return failed(ok.error());
  meta = next;
  note_reached();
  return is_all;
}

// An event is half done when its terms are gathered.
void Index::State::note_reached() {
  const auto written = build ? build->events_written() : 0;
  reached.store((meta.mark.last_position + written) / 2, std::memory_order_relaxed);
}

// A damaged log is told to who asks for the index; a generation behind this one is read meanwhile.
Result<std::shared_ptr<const Generation>> Index::State::take_next(const Log& log) {
  auto next = read_next(log);
  if (!next && next.error().code == ErrorCode::kCorrupt) set_failure(next.error());
  if (!next) return next;
  set_failure({});
  read_ahead(log, **next);
  return next;
}

Result<std::shared_ptr<const Generation>> Index::State::read_next(const Log& log) {
  if (const auto read = std::exchange(ahead, nullptr)) {
    auto next = read->take();
    const bool follows = next && (*next)->begins_behind().frame_number == meta.mark.frame_number;
    if (follows) return next;
  }
  if (!meta.is_between_marks())
    return read_generation(log, to_mark(meta.mark), kTableSlots, target.frame_number,
                           options.generation_bytes);
  return read_generation(log, to_mark(meta.mark), kTableSlots, meta.next.frame_number, kNoLimit);
}

// Of one that lies behind it, where there is one.
void Index::State::read_ahead(const Log& log, const Generation& generation) {
  const auto end = target.frame_number;
  if (generation.end().frame_number == end) return;
  GenerationAhead::Read read(
      [&log, mark = generation.end(), end, bytes = options.generation_bytes,
       slots = std::bit_ceil(generation.term_count() * 2 + 2)](const std::stop_token& stop) {
        return read_generation(log, mark, slots, end, bytes, stop);
      });
  try {
    ahead = std::make_unique<GenerationAhead>(std::move(read));
  } catch (const std::system_error&) {
    // There is no thread for it: it is read when its turn comes.
  }
}

void Index::stop_reading() { state_->ahead.reset(); }

Result<bool> Index::finish_rebuild() {
  State& state = *state_;
  if (state.building)
    if (auto ok = state.finish_building(); !ok) return std::unexpected(ok.error());
  state.phase.store(State::Phase::kReady, std::memory_order_release);
  state.say("index: up to position " + to_string(state.target.last));
  return true;
}

// After a failure the environment is opened again; one that is being built begins from nothing.
Result<void> Index::State::prepare_step() {
  if (phase == Phase::kBehind) {
    if (environment == nullptr) return reopen();
    return {};
  }
  if (building != nullptr) return {};
  if (auto ok = files.make_new(); !ok) return ok;
  auto made = make_empty(files.new_directory(), Environment::Mode::kBulk);
  if (!made) return std::unexpected(made.error());
  auto begun = IndexBuild::begin(files.new_directory(), options.seed, options.generation_bytes);
  if (!begun) return std::unexpected(begun.error());
  reached.store(0, std::memory_order_relaxed);
  building = std::move(*made);
  build = std::move(*begun);
  return {};
}

void Index::State::close_environments() {
  gathering.reset();
  build.reset();
  building.reset();
  const std::lock_guard lock(mutex);  // nobody reads it before it is ready
  environment.reset();
}

Result<void> Index::State::finish_building() {
  auto synced = building->sync();
  close_environments();
  if (!synced) return unavailable("syncing the new index failed", synced.error());
  if (auto renamed = files.rename_new(); !renamed) return renamed;
  {
    const std::lock_guard lock(mutex);
    mark = to_mark(meta.mark);
  }
  return reopen();
}

}  // namespace esdb::storage
