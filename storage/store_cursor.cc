#include "storage/store_cursor.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"

namespace esdb::storage {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kIndexPause{20};  // between looks while the index is rebuilt

Error closed() { return {.code = ErrorCode::kClosed, .message = "next: the store was closed"}; }
Error cancelled() {
  return {.code = ErrorCode::kCancelled, .message = "next: cancelled while it waited"};
}

Clock::time_point deadline_of(const NextOptions& options) {
  const auto now = Clock::now();
  const auto most = std::chrono::hours(24 * 365 * 10);
  return options.wait >= most ? Clock::time_point::max() : now + options.wait;
}

bool cannot_now(const Result<Batch>& batch) {
  return !batch && batch.error().code == ErrorCode::kUnavailable;
}

}  // namespace

StoreCursor::StoreCursor(std::shared_ptr<Engine> engine, Reader reader)
    : engine_(std::move(engine)), place_(std::make_shared<Place>(std::move(reader))) {}

StoreCursor::~StoreCursor() {
  std::unique_lock lock(place_->mutex);
  place_->dropped = true;
  const auto done = std::move(place_->done);  // destroyed without the mutex: it owns what it likes
  const bool waits = place_->phase == Place::Phase::kReading;
  // A completion that runs on this very thread destroys its own cursor: it does not wait for
  // itself.
  place_->changed.wait(lock, [this] {
    return !place_->running || place_->running_on == std::this_thread::get_id();
  });
  lock.unlock();
  place_->on_stop.reset();
  if (!waits) return;
  if (const auto entered = engine_->enter()) engine_->readers().moved();  // lets go of the place
}

// A cancel() that came during this next() ends it; one that came before does not.
bool StoreCursor::take_cancel() {
  const std::lock_guard lock(place_->mutex);
  return std::exchange(place_->cancelled, false);
}

Result<Batch> StoreCursor::next(const NextOptions& options) {
  const auto entered = engine_->enter();
  if (!entered) return std::unexpected(closed());
  if (engine_->completions().is_running_here())
    return std::unexpected(Error{.code = ErrorCode::kInvalidArgument,
                                 .message = "next: a completion must not make a blocking call"});
  {
    const std::lock_guard lock(place_->mutex);
    if (place_->phase != Place::Phase::kIdle)
      return std::unexpected(Error{.code = ErrorCode::kInvalidArgument,
                                   .message = "next: another next() of this cursor is in flight"});
    place_->phase = Place::Phase::kReading;
    place_->cancelled = false;
  }
  const auto deadline = deadline_of(options);
  engine_->arrivals().wait_here(waiter_);
  Result<Batch> answer = std::unexpected(cancelled());
  for (;;) {
    waiter_->reset();  // before every look: what comes after one fires it
    if (take_cancel() || options.stop.stop_requested()) {
      answer = std::unexpected(cancelled());
      break;
    }
    if (engine_->is_closing()) {
      answer = std::unexpected(closed());
      break;
    }
    const auto sources = engine_->sources();
    answer = place_->reader.read(sources, options.max_bytes);
    if (!answer && !cannot_now(answer)) break;
    if (answer && (!answer->empty() || answer->finished())) break;
    if (Clock::now() >= deadline) break;
    if (answer && !place_->reader.at_end(sources)) continue;
    const auto until = answer ? deadline : std::min(deadline, Clock::now() + kIndexPause);
    engine_->driver().wait(*waiter_, until, options.stop, Driver::While::kLooking);
  }
  engine_->arrivals().leave(waiter_);
  const std::lock_guard lock(place_->mutex);
  place_->phase = Place::Phase::kIdle;
  return answer;
}

ReaderPool::Attempted StoreCursor::attempt(Engine& engine, Place& place) {
  using Outcome = ReaderPool::Outcome;
  {
    const std::lock_guard lock(place.mutex);
    if (place.dropped || std::exchange(place.cancelled, false) ||
        place.options.stop.stop_requested())
      return {Outcome::kBatch, std::unexpected(cancelled())};
  }
  if (engine.is_closing()) return {Outcome::kBatch, std::unexpected(closed())};
  const auto sources = engine.sources();
  auto batch = place.reader.read(sources, place.options.max_bytes);
  const bool waits = batch ? batch->empty() && !batch->finished() : cannot_now(batch);
  if (!waits || Clock::now() >= place.deadline) return {Outcome::kBatch, std::move(batch)};
  if (!batch) return {Outcome::kNotNow, std::nullopt};
  return {place.reader.at_end(sources) ? Outcome::kNothingYet : Outcome::kMore, std::nullopt};
}

void StoreCursor::next(const NextOptions& options, Completion<Batch> done) {
  const auto refuse = [&](Error error) {
    engine_->completions().put([done = std::move(done), error = std::move(error)]() mutable {
      done(std::unexpected(std::move(error)));
    });
  };
  const auto entered = engine_->enter();
  if (!entered) return done(std::unexpected(closed()));
  {
    const std::lock_guard lock(place_->mutex);
    if (place_->phase == Place::Phase::kIdle) {
      place_->phase = Place::Phase::kReading;
      place_->cancelled = false;
      place_->options = options;
      place_->deadline = deadline_of(options);
      place_->done = std::move(done);
      done = nullptr;
    }
  }
  if (done)
    return refuse({.code = ErrorCode::kInvalidArgument,
                   .message = "next: another next() of this cursor is in flight"});
  place_->on_stop.reset();
  if (options.stop.stop_possible())
    place_->on_stop.emplace(options.stop, [engine = engine_] {
      if (const auto serving = engine->enter()) engine->readers().moved();
    });
  engine_->readers().put(place_);
}

void StoreCursor::cancel() {
  {
    const std::lock_guard lock(place_->mutex);
    if (place_->phase == Place::Phase::kIdle) return;
    place_->cancelled = true;
  }
  waiter_->fire();
  const auto entered = engine_->enter();
  if (!entered) return;
  engine_->readers().moved();
  engine_->driver().nudge();  // the blocked next() may be driving
}

}  // namespace esdb::storage
