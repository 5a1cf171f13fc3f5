#include "tools/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "tools/table.h"

namespace esdb::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPauseMin{5};
constexpr milliseconds kPauseMax{1000};

std::uint64_t some_session() {
  const auto id = EventId::make();
  std::uint64_t session = 0;
  std::memcpy(&session, id.bytes.data() + 8, sizeof session);
  return session | 1;
}

// Whether the append itself is at fault, so that the ones behind it could still be written.
bool is_about_this_append(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kTooLarge ||
         code == ErrorCode::kIdConflict;
}

}  // namespace

std::string told_repeated(const PipelineTotals& totals) {
  if (totals.repeated == 0) return {};
  return fmt::format("{} {} there already\n", grouped(totals.repeated),
                     totals.repeated == 1 ? "append was" : "appends were");
}

struct Pipeline::Sent {
  Unit unit{};
  std::size_t bytes{};
  std::optional<Result<Appended>> answer{};  // under Shared::mutex
};

struct Pipeline::Shared {
  std::mutex mutex{};
  std::condition_variable answered{};
  std::size_t outstanding = 0;
};

Pipeline::Pipeline(EventStore& store, PipelineOptions options)
    : store_(store),
      options_(std::move(options)),
      call_{.timeout = options_.timeout, .session = some_session()},
      shared_(std::make_shared<Shared>()),
      window_(options_.units_in_flight_max) {}

Pipeline::~Pipeline() { wait_for_all(); }

Result<std::uint64_t> Pipeline::begin() {
  const auto tracked = store_.tracked(options_.source);
  if (!tracked) return std::unexpected(tracked.error());
  totals_.tracked_to = sent_to_ = *tracked;
  return *tracked;
}

Result<void> Pipeline::push(Unit unit) {
  waiting_.push_back(std::move(unit));
  auto pumped = pump(Repeated::kWhenFull);
  if (!pumped) waiting_.clear();
  return pumped;
}

Result<void> Pipeline::finish() {
  for (;;) {
    if (auto pumped = pump(Repeated::kAtOnce); !pumped) {
      waiting_.clear();
      return pumped;
    }
    if (sent_.empty()) return {};
    wait_for_an_answer();
  }
}

bool Pipeline::is_full() const {
  return sent_.size() >= window_ ||
         (!sent_.empty() && bytes_in_flight_ >= options_.bytes_in_flight_max);
}

// Sends until no unit waits. Repeated ones at the front are taken many at a time, because storing
// their tracking is a write of its own.
Result<void> Pipeline::pump(Repeated when) {
  for (;;) {
    if (auto error = collect()) {
      if (auto recovered = recover(std::move(*error)); !recovered) return recovered;
      continue;
    }
    const bool stopped = options_.stop.stop_requested();
    if ((when == Repeated::kAtOnce || stopped || is_full()) && !sent_.empty() &&
        was_repeated(*sent_.front())) {
      if (auto taken = take_repeated(); !taken) return taken;
      continue;
    }
    if (waiting_.empty()) return {};
    if (stopped) {
      wait_for_all();
      if (auto error = collect()) return std::unexpected(std::move(*error));
      if (!sent_.empty()) continue;  // at a repeated one
      return std::unexpected(Error{.code = ErrorCode::kCancelled, .message = "interrupted"});
    }
    if (is_full()) {
      wait_for_an_answer();
      continue;
    }
    if (auto sent = send_next(); !sent) return sent;
  }
}

Result<void> Pipeline::send_next() {
  auto& unit = waiting_.front();
  AppendRequest request{
      .events = std::move(unit.events),
      .tracking = {{.source = options_.source, .position = unit.tracked_to, .after = sent_to_}}};
  auto encoded = EncodedAppend::encode(request);
  unit.events = std::move(request.events);
  if (!encoded) {
    // It is refused only when those before it are written, as the store would have.
    wait_for_all();
    if (auto error = collect()) return recover(std::move(*error));
    if (!sent_.empty()) return take_repeated();  // and then this one again
    return refuse_front(encoded.error());
  }
  sent_to_ = unit.tracked_to;
  auto sent = std::make_shared<Sent>();
  sent->bytes = encoded->bytes().size();
  sent->unit = std::move(unit);
  waiting_.pop_front();
  bytes_in_flight_ += sent->bytes;
  sent_.push_back(sent);
  {
    const std::lock_guard lock(shared_->mutex);
    ++shared_->outstanding;
  }
  store_.append(std::move(*encoded), call_, [shared = shared_, sent](Result<Appended> answer) {
    const std::lock_guard lock(shared->mutex);
    sent->answer.emplace(std::move(answer));
    --shared->outstanding;
    shared->answered.notify_one();
  });
  return {};
}

void Pipeline::wait_for_an_answer() {
  std::unique_lock lock(shared_->mutex);
  shared_->answered.wait(lock, [&] { return sent_.front()->answer.has_value(); });
}

void Pipeline::wait_for_all() {
  std::unique_lock lock(shared_->mutex);
  shared_->answered.wait(lock, [&] { return shared_->outstanding == 0; });
}

std::optional<Error> Pipeline::collect() {
  while (!sent_.empty()) {
    std::optional<Error> error;
    {
      const std::lock_guard lock(shared_->mutex);
      auto& answer = sent_.front()->answer;
      if (!answer) return std::nullopt;
      if (!answer->has_value()) {
        error = answer->error();
      } else if ((*answer)->repeated) {
        return std::nullopt;
      }
    }
    if (error) return error;
    written(sent_.front()->unit);
    bytes_in_flight_ -= sent_.front()->bytes;
    sent_.pop_front();
  }
  return std::nullopt;
}

void Pipeline::written(const Unit& unit) {
  totals_.events += unit.events.size();
  ++totals_.appends;
  totals_.tracked_to = std::max(totals_.tracked_to, unit.tracked_to);
  window_ = std::min(window_ * 2, options_.units_in_flight_max);
  not_stuck();
}

void Pipeline::not_stuck() {
  stuck_since_.reset();
  pause_ = milliseconds{0};
}

bool Pipeline::was_repeated(const Sent& sent) const {
  const std::lock_guard lock(shared_->mutex);
  return sent.answer && sent.answer->has_value() && (*sent.answer)->repeated;
}

// The front, and maybe some behind it, were in the log before they were sent: as this pipeline's
// own, whose answer was lost, and then their tracking is stored; or from elsewhere, and then it is
// stored here, once for all of them.
Result<void> Pipeline::take_repeated() {
  wait_for_all();
  const auto end =
      std::ranges::find_if(sent_, [this](const auto& sent) { return !was_repeated(*sent); });
  const auto count = static_cast<std::size_t>(end - sent_.begin());
  const auto to = sent_[count - 1]->unit.tracked_to;
  const auto before = track_up_to(to);
  if (!before) return std::unexpected(before.error());
  for (std::size_t i = 0; i < count; ++i) {
    const auto& sent = *sent_.front();
    if (sent.unit.tracked_to <= *before) {
      written(sent.unit);
    } else {
      ++totals_.repeated;
    }
    bytes_in_flight_ -= sent.bytes;
    sent_.pop_front();
  }
  totals_.tracked_to = std::max(totals_.tracked_to, to);
  if (*before >= to) return {};
  // Where repeated and new ones alternate, few are sent only to be refused.
  window_ = sent_.empty() ? std::min(window_ * 2, options_.units_in_flight_max) : count;
  send_all_again();
  return {};
}

// Stores that the source is done up to `position`, without events, unless that is known.
Result<std::uint64_t> Pipeline::track_up_to(std::uint64_t position) {
  for (std::optional<std::uint64_t> before;;) {
    Error error;
    if (const auto tracked = store_.tracked(options_.source); !tracked) {
      error = tracked.error();
    } else {
      if (!before) before = *tracked;
      if (*tracked >= position) return *before;
      const auto stored = store_.append(
          {.tracking = {{.source = options_.source, .position = position, .after = *tracked}}},
          call_);
      if (stored) {
        not_stuck();
        return *before;
      }
      error = stored.error();
    }
    // Whoever else was quicker has moved it: how far, the next question tells.
    const bool again =
        remedy(error.code) == Remedy::kRepeat || error.code == ErrorCode::kAlreadyTracked;
    if (!again) return std::unexpected(std::move(error));
    if (auto paused = pause(error); !paused) return std::unexpected(paused.error());
  }
}

Result<void> Pipeline::close_at(std::uint64_t position) {
  const auto before = track_up_to(position);
  if (!before) return std::unexpected(before.error());
  totals_.tracked_to = sent_to_ = std::max(*before, position);
  return {};
}

// All of it is answered and not written, but for what turns out to be.
void Pipeline::send_all_again() {
  while (!sent_.empty()) {
    waiting_.push_front(std::move(sent_.back()->unit));
    sent_.pop_back();
  }
  bytes_in_flight_ = 0;
  sent_to_ = totals_.tracked_to;
}

// The front failed with `error`. Everything behind it is waited for and goes back to be sent again,
// but for what turns out to be written.
Result<void> Pipeline::recover(Error error) {
  wait_for_all();
  send_all_again();
  if (is_about_this_append(error.code)) return refuse_front(error);
  const bool again =
      remedy(error.code) == Remedy::kRepeat || error.code == ErrorCode::kAlreadyTracked;
  if (!again) return std::unexpected(std::move(error));
  if (error.code == ErrorCode::kOverloaded)
    window_ = options_.units_in_flight_max =
        std::max<std::size_t>(1, options_.units_in_flight_max / 2);
  return look_again(error);
}

Result<void> Pipeline::refuse_front(const Error& error) {
  if (!options_.leave_out || !options_.leave_out(waiting_.front(), error))
    return std::unexpected(error);
  waiting_.pop_front();
  return {};
}

Error Pipeline::another_is_at_work(std::uint64_t tracked) const {
  return {
      .code = ErrorCode::kAlreadyTracked,
      .message = fmt::format("somebody else takes in {} at the same time, and has come to {} with "
                             "other appends than these: let one of the two end first",
                             options_.source, tracked)};
}

// Asks the store how far the source has come and drops what is written.
Result<void> Pipeline::look_again(const Error& error) {
  for (Error last = error;;) {
    if (remedy(last.code) == Remedy::kRepeat) {
      if (auto paused = pause(last); !paused) return paused;
    }
    const auto tracked = store_.tracked(options_.source);
    if (!tracked) {
      last = tracked.error();
      if (remedy(last.code) != Remedy::kRepeat) return std::unexpected(last);
      continue;
    }
    bool any = false;
    while (!waiting_.empty() && waiting_.front().tracked_to <= *tracked) {
      written(waiting_.front());
      waiting_.pop_front();
      any = true;
    }
    const bool torn = !waiting_.empty() && waiting_.front().places.front() <= *tracked;
    if (torn || (error.code == ErrorCode::kAlreadyTracked && !any))
      return std::unexpected(another_is_at_work(*tracked));
    sent_to_ = totals_.tracked_to = *tracked;
    return {};
  }
}

// Waits a little longer each time, until the time-out of being stuck.
Result<void> Pipeline::pause(const Error& error) {
  const auto now = steady_clock::now();
  if (!stuck_since_) stuck_since_ = now;
  if (now - *stuck_since_ >= options_.timeout) return std::unexpected(error);
  if (options_.stop.stop_requested())
    return std::unexpected(Error{.code = ErrorCode::kCancelled, .message = "interrupted"});
  std::this_thread::sleep_for(pause_);
  pause_ = std::clamp(pause_ * 2, kPauseMin, kPauseMax);
  return {};
}

}  // namespace esdb::tools
