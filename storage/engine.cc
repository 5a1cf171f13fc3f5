#include "storage/engine.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "storage/check.h"
#include "storage/file_system.h"
#include "storage/memory_io.h"
#include "storage/posix_io.h"
#include "storage/recovery.h"
#include "storage/replay.h"
#include "storage/sabotage.h"
#include "storage/store_cursor.h"
#include "storage/threads.h"

namespace esdb::storage {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kRingDepth = 16;
constexpr std::size_t kReaderThreads = 2;
constexpr std::size_t kInboxCount = 65'536;
constexpr std::chrono::milliseconds kBackgroundPause{50};
constexpr std::chrono::milliseconds kScrubMargin{20};  // before the log's next step is due
constexpr std::chrono::milliseconds kClosePause{1};    // while calls end
constexpr std::chrono::milliseconds kIndexerPause{20};
constexpr std::chrono::seconds kIndexerRetryPause{1};
constexpr std::chrono::seconds kIndexerDamagePause{60};
// Of the log, that a restart would have to read again.
constexpr std::size_t kUnindexedBytesMax = std::size_t{1} << 30;

// Shares of OpenOptions::memory (docs/architecture.md adds them up).
std::size_t window_ids(std::size_t memory) { return IdWindow::ids_within(memory / 12); }
std::size_t inbox_bytes(std::size_t memory) { return memory / 32; }
std::size_t tail_bytes(std::size_t memory) { return memory / 16 * 4; }
// One is filled while the index takes the one before it.
std::size_t generation_bytes(std::size_t memory) { return tail_bytes(memory) / 2; }
// Another half share is for the lists of a generation that is written.
std::size_t index_dirty_bytes(std::size_t memory) { return memory / 32 * 3; }
std::size_t rebuild_bytes(std::size_t memory) { return memory / 16; }  // one of two generations

std::unique_ptr<Io> make_io(const std::string& directory, const OpenOptions& options) {
  if (directory.empty()) return std::make_unique<MemoryIo>(options.clock);
  return make_directory_io(options.log);
}

Error short_of(const std::string& what, IoError error) {
  return {.code = ErrorCode::kUnavailable, .message = "open: " + what + ": " + to_string(error)};
}

Error closed_error() {
  return {.code = ErrorCode::kClosed, .message = "append: the store was closed"};
}

}  // namespace

Engine::Engine(const OpenOptions& options)
    : options_(options),
      inbox_({.count = kInboxCount, .bytes = inbox_bytes(options.memory)}),
      driver_(options.drive),
      completions_(options.drive, [this] { driver_.wake_loop(); }) {}

Engine::~Engine() { close(); }

Result<std::shared_ptr<Engine>> Engine::open(const std::string& directory,
                                             const OpenOptions& options, Io* machine) {
  std::shared_ptr<Engine> engine(new Engine(options));
  if (const int number = engine->driver_.failure(); number != 0)
    return std::unexpected(short_of("no descriptor to wait on", IoError{number}));
  engine->io_ = machine;
  if (auto ok = engine->open_files(directory); !ok) return std::unexpected(ok.error());
  if (auto ok = engine->wire(); !ok) return std::unexpected(ok.error());
  try {
    engine->start_threads();
  } catch (const std::system_error& error) {
    return std::unexpected(short_of("no thread", IoError{error.code().value()}));
  }
  return engine;
}

Result<void> Engine::open_files(const std::string& directory) {
  if (io_ == nullptr) {
    own_io_ = make_io(directory, options_);
    io_ = own_io_.get();
  }
  LogOptions log_options{.directory = directory.empty() ? "memory" : directory,
                         .access = options_.access,
                         .create = options_.create,
                         .write_unit = options_.write_unit,
                         .segment_bytes = options_.segment_bytes,
                         .memory = options_.memory,
                         .append_bytes_max = options_.append_bytes_max,
                         .announce = options_.announce,
                         .log = options_.log};
  if (directory.empty()) {
    auto log = open_log(*io_, log_options);
    if (!log) return std::unexpected(log.error());
    log_ = std::move(*log);
    tail_ = std::make_unique<TailIndex>(FrameMark{}, TailOptions{.keeps_everything = true});
    return {};
  }
  const auto index_directory = directory + "/index";
  log_options.indexed_frame = [&](const LogOptions::Known& known) {
    return Index::claimed_frame(
        {.directory = index_directory, .store_id = known.store_id, .seed = known.seed},
        known.last_epoch_id, options_.access);
  };
  auto log = open_log(*io_, log_options);
  if (!log) return std::unexpected(log.error());
  log_ = std::move(*log);
  if (const auto warning = file_system_warning(directory); !warning.empty()) say(warning);
  return open_index(index_directory);
}

Result<void> Engine::open_index(const std::string& directory) {
  const IndexOptions options{.directory = directory,
                             .store_id = log_->store_id(),
                             .seed = log_->seed(),
                             .dirty_bytes = index_dirty_bytes(options_.memory),
                             .generation_bytes = rebuild_bytes(options_.memory),
                             .log = options_.log};
  auto index = is_read_only() ? Index::open_read_only(options, *log_) : Index::open(options, *log_);
  if (!index) return std::unexpected(index.error());
  index_ = std::move(*index);
  auto filled = fill_tail();
  if (!filled && filled.error().code == ErrorCode::kCorrupt && !is_read_only()) {
    // What needs no look-up is served all the same: reading by position.
    if (auto ok = index_->fall_behind(*log_, filled.error()); !ok) return ok;
    filled = fill_tail();
  }
  if (!filled) return filled;
  if (is_read_only()) return {};
  indexer_ = std::make_unique<Indexer>(*index_, *tail_, *log_);
  scrub_ = std::make_unique<Scrub>(*io_, *log_, std::filesystem::path(directory).parent_path(),
                                   options_.log);
  return {};
}

Result<void> Engine::fill_tail() {
  // Read-only and without a usable index, the tail index holds the whole log.
  const FrameMark mark = index_ ? index_->tail_begins() : FrameMark{};
  tail_ = std::make_unique<TailIndex>(
      mark, TailOptions{.keeps_everything = is_read_only(),
                        .generation_bytes = generation_bytes(options_.memory),
                        .first_end = index_ ? index_->first_end() : 0});
  return replay_tail(*log_, *tail_);
}

Result<void> Engine::fill_window() {
  window_ = std::make_unique<IdWindow>(window_ids(options_.memory));
  const bool anew = index_ != nullptr && index_->indexed().frame_number == 0;
  if (is_read_only() || (anew && sabotaged(Sabotage::kIdsForgottenWithIndex))) return {};
  auto recent = log_->recent_ids(window_ids(options_.memory));
  if (!recent) return std::unexpected(recent.error());
  for (const auto& id : *recent)
    window_->add(id.position, IdWindow::entry(id.id, id.fingerprint, id.ends_commit));
  return {};
}

Result<void> Engine::wire() {
  if (auto ok = fill_window(); !ok) return ok;
  auto ring = io_->make_ring(kRingDepth, driver_.ring_fd());
  if (!ring) return std::unexpected(short_of("no ring for writing", ring.error()));
  ring_ = std::move(*ring);
  preparer_ = std::make_unique<Preparer>(
      sources(),
      Preparer::Tells{.prepared =
                          [this](RequestPtr request) {
                            if (!inbox_.put_admitted(request))
                              return answer(std::move(request), std::unexpected(closed_error()));
                            driver_.requested();
                          },
                      .prepared_again =
                          [this](RequestPtr request) {
                            if (is_closing())
                              return answer(std::move(request), std::unexpected(closed_error()));
                            inbox_.put_again(std::move(request));
                            driver_.nudge();
                          },
                      .answer =
                          [this](RequestPtr request, Result<Appended> result) {
                            if (request->admitted) inbox_.settled(request->bytes);
                            answer(std::move(request), std::move(result));
                            driver_.nudge();  // its caller may be the one who drives
                          }});
  writer_ = std::make_unique<Writer>(
      Writer::Parts{.io = *io_,
                    .log = *log_,
                    .tail = *tail_,
                    .window = *window_,
                    .inbox = inbox_,
                    .ring = *ring_,
                    .tail_bytes_max = has_files() ? tail_bytes(options_.memory) : 0,
                    .unindexed_bytes_max = has_files() ? kUnindexedBytesMax : 0,
                    .background_inline = !has_files()},
      Writer::Tells{
          .answer =
              [this](RequestPtr request) {
                if (request->blocking) return request->done(std::move(request->answer));
                answered_.push_back(completion_of(std::move(request)));
              },
          .answered = [this](Writer::Settled settled) { finish_answers(settled); },
          .prepare_again = [this](RequestPtr request) { preparer_->put(std::move(request)); },
          .answer_from_log =
              [this](RequestPtr request, CommitSpan commit) {
                preparer_->put_repeated(std::move(request), commit);
              },
          .durable_moved =
              [this] {
                arrivals_.moved();
                readers_->moved();
              },
          .background_due = [this] { background_wake_.fire(); },
          .log = [this](std::string_view line) { say(line); }});
  driver_.attach(*writer_, inbox_);
  readers_ = std::make_unique<ReaderPool>(
      kReaderThreads, [this](Place& place) { return StoreCursor::attempt(*this, place); },
      [this](std::shared_ptr<Place> place, Result<Batch> batch) {
        deliver(std::move(place), std::move(batch));
      });
  return {};
}

void Engine::start_threads() {
  if (is_read_only()) return;
  if (options_.drive == Drive::kOwnThread)
    driving_ = quiet_thread("esdb-drive", [this] { driver_.run(driving_stop_.get_token()); });
  if (!has_files()) return;
  indexing_ = quiet_thread("esdb-index", [this] {
    let_others_go_first();
    run_indexer(indexing_stop_.get_token());
  });
  background_ = quiet_thread("esdb-background", [this] {
    let_others_go_first();
    run_background(background_stop_.get_token());
  });
}

void Engine::run_indexer(const std::stop_token& stop) {
  std::string failure;  // said once, not at every attempt
  for (;;) {
    indexing_wake_.reset();
    if (stop.stop_requested()) return;
    const bool rebuilding = index_->needs_rebuild();
    auto step = rebuilding ? index_->rebuild_step(*log_) : indexer_->step();
    if (step && (*step || rebuilding)) {
      index_disk_full_ = false;
      if (!std::exchange(failure, {}).empty()) say("index: it goes on");
      driver_.nudge();  // the tail has room again
      continue;
    }
    index_disk_full_ = !step && step.error().code == ErrorCode::kDiskFull;
    Clock::duration pause = kIndexerPause;
    if (!step) {
      if (step.error().message != failure) say("index: " + step.error().message);
      failure = step.error().message;
      // Damage in the log does not heal by itself: what lies there is read again now and then.
      const bool damaged = step.error().code == ErrorCode::kCorrupt;
      if (damaged) log_->open_files_anew();
      pause = damaged ? kIndexerDamagePause : kIndexerRetryPause;
    }
    indexing_wake_.wait_until(Clock::now() + pause);
  }
}

void Engine::run_background(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    background_wake_.reset();
    if (writer_->is_read_only()) {  // the device failed: nothing more is written
      if (writer_->needs_ticks()) driver_.nudge();
      background_wake_.wait_until(Clock::now() + kBackgroundPause);
      continue;
    }
    auto step = log_->background_step(Clock::now());
    if (!step) {
      writer_->fail(step.error().message);
      driver_.nudge();
      continue;
    }
    const auto due = tail_->next_due();
    if (*step || (due && *due <= Clock::now()) || writer_->needs_ticks()) driver_.nudge();
    if (*step) continue;
    // A witness does not wait for a slow read.
    const auto next = log_->next_due();
    const bool has_time = !next || *next > Clock::now() + kScrubMargin;
    if (has_time && scrub_->step(Clock::now())) continue;
    const auto latest = Clock::now() + kBackgroundPause;
    background_wake_.wait_until(std::min(latest, log_->next_due().value_or(latest)));
  }
}

// ---- answers

// A place in the inbox is given back when the completions before it have run: an answer that waits
// for its turn holds the append's bytes. Where the program runs them itself, nothing waits behind
// its back, and a call of its own that waits for room must not wait for itself.
void Engine::finish_answers(Writer::Settled settled) {
  if (answered_.empty() || options_.drive == Drive::kCaller) {
    inbox_.settled(settled.bytes, settled.count);
  } else {
    answered_.push_back([this, settled] { inbox_.settled(settled.bytes, settled.count); });
  }
  completions_.put_all(answered_);
}

// The request goes along, so that its memory is freed off the driver's thread.
Completions::Run Engine::completion_of(RequestPtr request) {
  return [request = std::move(request)] { request->done(std::move(request->answer)); };
}

void Engine::answer(RequestPtr request, Result<Appended> result) {
  if (request->blocking) return request->done(std::move(result));
  request->answer = std::move(result);
  completions_.put(completion_of(std::move(request)));
}

void Engine::deliver(std::shared_ptr<Place> place, Result<Batch> batch) {
  {
    const std::lock_guard lock(place->mutex);
    place->phase = Place::Phase::kDelivering;
  }
  completions_.put([place = std::move(place), batch = std::move(batch)]() mutable {
    Completion<Batch> done;
    {
      const std::lock_guard lock(place->mutex);
      place->phase = Place::Phase::kIdle;
      done = std::move(place->done);
      if (place->dropped) return;
      place->running = true;
      place->running_on = std::this_thread::get_id();
    }
    done(std::move(batch));
    const std::lock_guard lock(place->mutex);
    place->running = false;
    place->changed.notify_all();
  });
}

Error Engine::refused() const {
  if (is_closing()) return closed_error();
  return {.code = ErrorCode::kOverloaded,
          .message = "append: too many appends wait; send fewer at once, or repeat it later"};
}

std::string Engine::state() const {
  if (is_read_only()) return "read_only: opened for reading";
  if (writer_->is_read_only() || !has_files()) return writer_->state();
  if (index_disk_full_ && !index_->needs_rebuild())
    return "disk_full: the index needs space; appends go on until too much of the log is not in it";
  if (index_disk_full_) return "disk_full: the index is built anew, and needs space";
  if (!index_->needs_rebuild()) return writer_->state();
  if (const auto why = index_->rebuild_failure()) return "corrupt: " + why->message;
  return "rebuilding: " + std::to_string(index_->rebuild_percent()) + " %";
}

void Engine::say(std::string_view line) const {
  if (options_.log) options_.log(line);
}

// ---- calls and the end

Engine::Entered Engine::enter() {
  calls_.fetch_add(1);
  if (!closing_.load()) return Entered(this);
  calls_.fetch_sub(1);
  return Entered(nullptr);
}

Engine::Entered::~Entered() {
  if (engine_ != nullptr) engine_->calls_.fetch_sub(1);
}

void Engine::advance() {
  completions_.run_all();
  driver_.turn();
  completions_.run_all();
}

void Engine::close() noexcept {
  const std::lock_guard only_once(close_mutex_);
  if (std::exchange(closed_, true)) return;
  closing_.store(true);
  if (!readers_) return;  // it did not open
  inbox_.close();
  arrivals_.moved();
  readers_->close();
  stop_writing();
  while (calls_.load() != 0) std::this_thread::sleep_for(kClosePause);
  completions_.close();
  stop_indexing();
  // Cursors may hold on to the engine; memory, files and the directory's lock are free all the
  // same.
  readers_.reset();
  preparer_.reset();
  writer_.reset();
  ring_.reset();
  indexer_.reset();
  scrub_.reset();
  window_.reset();
  tail_.reset();
  index_.reset();
  log_.reset();
}

void Engine::stop_writing() {
  driving_stop_.request_stop();
  if (driving_.joinable()) driving_.join();
  preparer_->close();
  driver_.shut();
}

// What is durable goes into the index before the log is marked clean, so that the next open has
// nothing to replay.
void Engine::stop_indexing() {
  for (auto* stop : {&indexing_stop_, &background_stop_}) stop->request_stop();
  indexing_wake_.fire();
  background_wake_.fire();
  if (indexing_.joinable()) indexing_.join();
  if (background_.joinable()) background_.join();
  if (index_) index_->stop_reading();
  if (indexer_ && !index_->needs_rebuild() && !writer_->is_read_only()) {
    tail_->freeze();
    auto step = indexer_->step();
    while (step && *step) step = indexer_->step();
    if (!step) say("close: index: " + step.error().message);
  }
  if (!is_read_only() && !writer_->is_read_only())
    if (auto closed = log_->close(); !closed) say("close: " + closed.error().message);
}

}  // namespace esdb::storage
