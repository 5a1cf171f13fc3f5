#include "storage/index.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "storage/check.h"
#include "storage/index_commit.h"
#include "storage/index_reader.h"
#include "storage/index_state.h"
#include "storage/sabotage.h"

namespace esdb::storage {

namespace {

std::unexpected<Error> unavailable(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kUnavailable, .message = std::move(message)});
}

bool same_frame(const FrameMark& a, const FrameMark& b) {
  return a.frame_number == b.frame_number && a.checksum == b.checksum && a.epoch_id == b.epoch_id;
}

// Whether the index has seen the epoch that the log ends with.
Result<bool> knows_epoch(const IndexReader& reader, const Uuid& last_epoch) {
  if (last_epoch == Uuid{}) return true;
  return reader.has_epoch(last_epoch);
}

Error lost(const FrameMark& indexed, const Log& log) {
  return {.code = ErrorCode::kRefused,
          .message =
              "the log ends at frame " + std::to_string(log.durable_frame()) + " (position " +
              to_string(log.durable()) + "), but the index of the same history has come to frame " +
              std::to_string(indexed.frame_number) + " (position " + to_string(indexed.last) +
              "): acknowledged events are missing; restore the log, or delete the index to "
              "go on without them"};
}

// What the index's environment holds, beside this log.
Result<Standing> compare(const Environment& environment, IndexHealth& health,
                         const IndexOptions& options, const Log& log, MetaRow& meta) {
  auto reader = IndexReader::begin(environment, health, options.seed);
  if (!reader) return std::unexpected(reader.error());
  meta = reader->meta();
  if (meta.store_id != options.store_id) return Standing::kRebuild;
  auto knows = knows_epoch(*reader, log.epoch_id());
  if (!knows) return std::unexpected(knows.error());
  const FrameMark furthest = to_mark(meta.furthest());
  auto in_log = log.frame(furthest.frame_number);
  // Damage there tells nothing. An index that has seen the log's newest epoch is of its history.
  if (!in_log && in_log.error().code == ErrorCode::kCorrupt)
    return *knows ? Standing::kGoOn : Standing::kRebuild;
  if (!in_log) return std::unexpected(in_log.error());
  return standing_of(furthest, *in_log, *knows);
}

}  // namespace

Standing standing_of(const FrameMark& indexed, const std::optional<FrameMark>& in_log,
                     bool knows_last_epoch) {
  if (indexed.frame_number == 0) return Standing::kGoOn;
  if (in_log) return same_frame(indexed, *in_log) ? Standing::kGoOn : Standing::kRebuild;
  return knows_last_epoch ? Standing::kLost : Standing::kRebuild;
}

Index::Index(std::unique_ptr<State> state) : state_(std::move(state)) {}
Index::~Index() = default;

Result<std::unique_ptr<Index>> Index::open(const IndexOptions& options, const Log& log) {
  auto state = std::make_unique<State>(options, Access::kReadWrite);
  const IndexFiles& files = state->files;
  if (auto ok = files.discard_new(); !ok) return std::unexpected(ok.error());
  std::string reason = files.distrusted();
  if (reason.empty() && !files.exists()) reason = "there is none";
  if (reason.empty()) {
    if (auto ok = files.mark_opening(); !ok) return std::unexpected(ok.error());
    auto objection = state->open_existing(log);
    if (auto ok = files.opened(); !ok) return std::unexpected(ok.error());
    if (!objection) return std::unexpected(objection.error());
    reason = *objection;
  }
  if (!reason.empty())
    if (auto ok = state->begin_anew(reason); !ok) return std::unexpected(ok.error());
  state->mark = to_mark(state->meta.mark);
  if (auto ok = state->begin_rebuild(log); !ok) return std::unexpected(ok.error());
  return std::unique_ptr<Index>(new Index(std::move(state)));
}

// Why it must be discarded; empty: it is good.
Result<std::string> Index::State::open_existing(const Log& log) {
  auto opened = Environment::open(options.directory, Environment::Mode::kReadWrite);
  if (!opened) {
    if (opened.error().is_damage()) return "it cannot be opened: " + to_string(opened.error());
    return unavailable("opening the index in " + options.directory +
                       " failed: " + to_string(opened.error()));
  }
  IndexHealth looked_at({}, {});
  auto standing = compare(**opened, looked_at, options, log, meta);
  if (!standing && looked_at.is_damaged()) return "damage was found in it";
  if (!standing) return std::unexpected(standing.error());
  if (*standing == Standing::kRebuild) return "it is of another history";
  if (*standing == Standing::kLost) return std::unexpected(lost(to_mark(meta.furthest()), log));
  environment = std::move(*opened);
  return std::string{};
}

Result<std::unique_ptr<Index>> Index::open_read_only(const IndexOptions& options, const Log& log) {
  auto state = std::make_unique<State>(options, Access::kReadOnly);
  const auto without = [&](std::string_view reason) -> Result<std::unique_ptr<Index>> {
    state->say("index: not used, the log is read instead: " + std::string(reason));
    return std::unique_ptr<Index>{};
  };
  if (const auto reason = state->files.distrusted(); !reason.empty()) return without(reason);
  if (!state->files.exists()) return without("there is none");
  auto environment = Environment::open(options.directory, Environment::Mode::kReadOnly);
  if (!environment) return without(to_string(environment.error()));
  IndexHealth health({}, {});
  auto standing = compare(**environment, health, options, log, state->meta);
  if (!standing) return without(standing.error().message);
  if (*standing == Standing::kLost)
    return std::unexpected(lost(to_mark(state->meta.furthest()), log));
  if (*standing == Standing::kRebuild) return without("it is of another history");
  state->environment = std::move(*environment);
  state->mark = to_mark(state->meta.mark);
  state->set_target(state->mark);
  return std::unique_ptr<Index>(new Index(std::move(state)));
}

std::uint64_t Index::claimed_frame(const IndexOptions& options, const Uuid& last_epoch,
                                   Access access) {
  const IndexFiles files(options.directory);
  if (!files.exists() || !files.distrusted().empty()) return 0;
  const bool writes = access == Access::kReadWrite;
  if (writes && !files.mark_opening()) return 0;
  const auto claim = [&]() -> std::uint64_t {
    auto environment = Environment::open(options.directory, Environment::Mode::kReadOnly);
    if (!environment) return 0;
    IndexHealth health({}, {});
    auto reader = IndexReader::begin(**environment, health, options.seed);
    if (!reader || reader->meta().store_id != options.store_id) return 0;
    auto knows = knows_epoch(*reader, last_epoch);
    return knows && *knows ? reader->meta().furthest().frame_number : 0;
  }();
  // A marker that stays costs a rebuild, nothing else.
  if (writes && !files.opened()) return 0;
  return claim;
}

FrameMark Index::indexed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->mark;
}

FrameMark Index::tail_begins() const { return state_->target; }

std::uint64_t Index::first_end() const {
  const bool begins_at_mark = state_->phase.load() == State::Phase::kReady;
  return begins_at_mark ? state_->meta.next.frame_number : 0;
}

std::size_t Index::bytes() const {
  const std::lock_guard lock(state_->mutex);
  return state_->environment ? state_->environment->used_bytes() : 0;
}

Result<bool> Index::commit(const std::shared_ptr<const Generation>& generation) {
  State& state = *state_;
  ESDB_CHECK(state.phase.load() == State::Phase::kReady);
  if (state.health.is_damaged()) return std::unexpected(state.health.error());
  if (state.environment == nullptr)
    if (auto reopened = state.reopen(); !reopened) return std::unexpected(reopened.error());
  auto committed = state.commit(generation);
  if (committed || committed.error().code == ErrorCode::kDiskFull || state.health.is_damaged())
    return committed;
  state.say("index: " + committed.error().message + "; opening it again");
  if (auto reopened = state.reopen(); !reopened) return std::unexpected(reopened.error());
  return committed;
}

Result<bool> Index::State::commit(const std::shared_ptr<const Generation>& generation) {
  if (!writing) writing.emplace(generation, options.seed, health);
  ESDB_CHECK(writing->generation() == generation);
  auto is_all = write(*writing);
  if (!is_all || *is_all) writing.reset();
  if (!is_all || !*is_all) return is_all;
  reached.store(meta.mark.last_position, std::memory_order_relaxed);
  const std::lock_guard lock(mutex);
  mark = to_mark(meta.mark);
  return true;
}

std::unexpected<Error> Index::State::failed(LmdbError error) {
  if (error.is_damage()) return std::unexpected(health.damaged(to_string(error)));
  return unavailable("an index transaction failed: " + to_string(error));
}

Result<void> Index::State::reserve(Environment& in, std::size_t bytes) {
  auto reserved = in.reserve(bytes);
  if (reserved) return {};
  if (!is_full(IoError{reserved.error().number})) return failed(reserved.error());
  return std::unexpected(Error{.code = ErrorCode::kDiskFull,
                               .message = "no room for the index in " + options.directory});
}

Result<bool> Index::State::write(GenerationCommit& commit) {
  if (auto ok = reserve(*environment, commit.room(options.dirty_bytes)); !ok)
    return std::unexpected(ok.error());
  auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite);
  if (!transaction) return failed(transaction.error());
  MetaRow next = meta;
  auto is_all = commit.write(*transaction, next, options.dirty_bytes);
  if (!is_all) return is_all;
  if (sabotaged(Sabotage::kIndexMarkInSecondTransaction)) {
    if (auto ok = transaction->put(Tree::kMeta, meta_key(), bytes_of(meta)); !ok)
      return failed(ok.error());
    if (auto ok = transaction->commit(); !ok) return failed(ok.error());
    transaction = Transaction::begin(*environment, Transaction::Kind::kWrite);
    if (!transaction) return failed(transaction.error());
    if (auto ok = transaction->put(Tree::kMeta, meta_key(), bytes_of(next)); !ok)
      return failed(ok.error());
  }
  if (auto ok = transaction->commit(); !ok) return failed(ok.error());
  meta = next;
  return is_all;
}

Result<void> Index::State::reopen() {
  std::unique_lock lock(mutex);
  closing = true;
  changed.wait(lock, [&] { return readers == 0; });
  environment.reset();
  auto opened = Environment::open(options.directory, Environment::Mode::kReadWrite);
  if (opened) environment = std::move(*opened);
  closing = false;
  changed.notify_all();
  if (!opened) return unavailable("opening the index again failed: " + to_string(opened.error()));
  return {};
}

std::optional<Error> Index::unreadable() const {
  const State& state = *state_;
  if (state.health.is_damaged()) return state.health.error();
  if (auto failure = rebuild_failure()) return failure;
  if (state.phase.load(std::memory_order_acquire) == State::Phase::kReady) return std::nullopt;
  return unavailable("the index is being rebuilt: " + std::to_string(rebuild_percent()) + " %")
      .error();
}

Result<Index::Lease> Index::read() {
  State& state = *state_;
  if (auto failure = unreadable()) return std::unexpected(*std::move(failure));
  const Environment* environment = nullptr;
  {
    std::unique_lock lock(state.mutex);
    state.changed.wait(lock, [&] { return !state.closing; });
    if (state.environment == nullptr) return unavailable("the index could not be opened again");
    environment = state.environment.get();
    ++state.readers;
  }
  Lease lease(state_.get(), nullptr);
  auto reader = IndexReader::begin(*environment, state.health, state.options.seed);
  if (!reader) return std::unexpected(reader.error());
  lease.reader_ = std::make_unique<IndexReader>(std::move(*reader));
  return lease;
}

Index::Lease::Lease(State* state, std::unique_ptr<IndexReader> reader)
    : state_(state), reader_(std::move(reader)) {}

Index::Lease::Lease(Lease&& other) noexcept
    : state_(std::exchange(other.state_, nullptr)), reader_(std::move(other.reader_)) {}

Index::Lease& Index::Lease::operator=(Lease&& other) noexcept {
  std::swap(state_, other.state_);
  std::swap(reader_, other.reader_);
  return *this;
}

Index::Lease::~Lease() {
  reader_.reset();
  if (state_ == nullptr) return;
  const std::lock_guard lock(state_->mutex);
  if (--state_->readers == 0) state_->changed.notify_all();
}

}  // namespace esdb::storage
