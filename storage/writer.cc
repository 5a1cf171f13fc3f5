#include "storage/writer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "storage/check.h"
#include "storage/sabotage.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kInFlightMax = 4;
constexpr std::chrono::milliseconds kExpirePause{50};

Error error_of(ErrorCode code, std::string message) {
  return {.code = code, .message = std::move(message)};
}

}  // namespace

Writer::Writer(const Parts& parts, Tells tells)
    : io_(parts.io),
      log_(parts.log),
      tail_(parts.tail),
      window_(parts.window),
      inbox_(parts.inbox),
      ring_(parts.ring),
      tail_bytes_max_(parts.tail_bytes_max),
      unindexed_bytes_max_(parts.unindexed_bytes_max),
      pipeline_bytes_(parts.pipeline_bytes),
      background_inline_(parts.background_inline),
      tells_(std::move(tells)) {}

Writer::~Writer() { ESDB_CHECK(in_flight_.empty()); }

void Writer::advance() noexcept {
  do {
    take();
    lay_out();
    ring_.submit();
    if (!is_read_only()) tail_.freeze_when_due(io_.steady());
  } while (reap());  // a ring that finishes at once is asked again: its answers make room
  expire();
  finish_answers();
  needs_ticks_ = stalled_ || !in_flight_.empty() || !held_.empty();
}

// A device that does not answer, and a request that cannot be prepared, keep nobody beyond their
// time: what waits wrote nothing, what is in flight may be in the log.
void Writer::expire() {
  const auto now = io_.steady();
  const bool hangs = !in_flight_.empty() && now - progress_at_ >= kExpirePause;
  if ((!hangs && held_.empty()) || now < expire_at_) return;
  expire_at_ = now + kExpirePause;
  drop_late();
  for (auto& [session, behind] : held_)
    std::erase_if(behind, [this](RequestPtr& request) { return drop_if_late(request); });
  for (auto& frame : in_flight_)
    for (auto& given : frame.answers) {
      const auto* request = given.request.get();
      if (request == nullptr || request->blocking) continue;  // a blocked caller left by itself
      if (now >= request->deadline || request->stop.stop_requested()) tell_late(std::move(given));
    }
}

void Writer::take() {
  taken_again_.clear();
  taken_fresh_.clear();
  inbox_.take(taken_again_, taken_fresh_);
  // What was prepared again takes its place back, and brings what its session held behind it.
  for (auto at = taken_again_.rbegin(); at != taken_again_.rend(); ++at) {
    auto& request = *at;
    if (const auto held = held_.find(request->session); held != held_.end()) {
      auto behind = std::move(held->second);
      held_.erase(held);
      for (auto later = behind.rbegin(); later != behind.rend(); ++later) {
        pending_bytes_ += (*later)->bytes;
        pending_.push_front(std::move(*later));
      }
    }
    pending_bytes_ += request->bytes;
    pending_.push_front(std::move(request));
  }
  for (auto& request : taken_fresh_) {
    for (const auto& event : request->parts->events) window_.prefetch(event.id);
    pending_bytes_ += request->bytes;
    pending_.push_back(std::move(request));
  }
}

bool Writer::has_work() const {
  return !pending_.empty() || !in_flight_.empty() || !inbox_.empty();
}

bool Writer::may_submit() const {
  if (pending_.empty()) return false;
  if (in_flight_.empty()) return true;
  return pending_bytes_ >= pipeline_bytes_ && in_flight_.size() < kInFlightMax;
}

bool Writer::is_held_back() const {
  return (tail_bytes_max_ != 0 && tail_.bytes() > tail_bytes_max_) ||
         (unindexed_bytes_max_ != 0 && tail_.log_bytes() > unindexed_bytes_max_);
}

void Writer::lay_out() {
  stalled_ = false;
  if (shut_ || is_read_only()) return refuse_pending();
  while (may_submit() && !stalled_) {
    if (is_held_back()) {
      tail_.freeze_for_room();  // the indexer need not wait until it is old enough
      stalled_ = true;
      break;
    }
    const auto before = pending_.size();
    fill_frame();
    if (frame_open_) end_frame();
    if (pending_.size() == before) break;
  }
  if (stalled_) drop_late();
}

// One frame's worth of what waits, in order.
void Writer::fill_frame() {
  while (!pending_.empty()) {
    auto& next = pending_.front();
    const std::size_t bytes = next->bytes;
    if (const auto held = next->session == 0 ? held_.end() : held_.find(next->session);
        held != held_.end()) {
      pending_bytes_ -= bytes;
      held->second.push_back(std::move(next));
    } else if (drop_if_late(next)) {
      pending_bytes_ -= bytes;
    } else {
      switch (place(next)) {
        case Placed::kYes:
          pending_bytes_ -= bytes;
          break;
        case Placed::kFrameFull:
          return;
        case Placed::kStalled:
          stalled_ = true;
          return;
      }
    }
    pending_.pop_front();
  }
}

void Writer::drop_late() {
  std::erase_if(pending_, [this](RequestPtr& request) {
    const auto bytes = request->bytes;
    if (!drop_if_late(request)) return false;
    pending_bytes_ -= bytes;
    return true;
  });
}

// A request whose caller gave up, or whose time is over before it was taken up.
bool Writer::drop_if_late(RequestPtr& request) {
  const bool stopped = request->stop.stop_requested();
  const bool late = io_.steady() >= request->deadline;
  if (!request->is_abandoned() && !stopped && !late) return false;
  if (!take_up(request)) return true;
  answer(std::move(request),
         std::unexpected(
             stopped ? error_of(ErrorCode::kCancelled, "append: stopped before it was taken up")
                     : error_of(ErrorCode::kTimedOut,
                                "append: the deadline passed before it was taken up")));
  return true;
}

// False: its caller gave up, perhaps this very moment, and has its answer already.
bool Writer::take_up(RequestPtr& request, Request::Phase as) {
  if (request->take_up(as)) return true;
  settle(*request);
  request.reset();
  return false;
}

bool Writer::reap() {
  bool any = false;
  std::array<Ring::Done, 8> done;
  for (std::size_t count = ring_.reap(done); count > 0; count = ring_.reap(done)) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto frame = std::ranges::find_if(
          in_flight_, [&](const InFlight& f) { return f.write.frame_number == done[i].token; });
      ESDB_CHECK(frame != in_flight_.end());
      handle(*frame, done[i].result);
    }
    any = true;
  }
  if (any) {
    progress_at_ = io_.steady();
    deliver_durable();
  }
  return any;
}

// A ring goes on with what was done in part and repeats what was interrupted: anything but all of
// it is a failure, whose outcome nobody knows.
void Writer::handle(InFlight& frame, std::int64_t result) {
  frame.ended = true;
  if (is_read_only()) return;
  if (result == static_cast<std::int64_t>(frame.write.bytes.size())) {
    log_.complete(frame.write.frame_number);
    return;
  }
  if (sabotaged(Sabotage::kWriteRepeatedAfterFailure)) {
    frame.ended = false;
    return ring_.write_durable(*frame.write.file, frame.write.offset, frame.write.bytes,
                               frame.write.frame_number);
  }
  fail("the write of frame " + std::to_string(frame.write.frame_number) +
       " failed: " + to_string(IoError{static_cast<int>(-result)}));
}

void Writer::deliver_durable() {
  const auto durable = log_.durable_frame();
  bool moved = false;
  while (!in_flight_.empty() && in_flight_.front().write.frame_number <= durable) {
    if (!moved) tells_.durable_moved();
    moved = true;
    auto answers = std::move(in_flight_.front().answers);
    in_flight_.pop_front();
    tell_all(std::move(answers));
  }
  if (moved) {
    log_.acknowledged(io_.steady());
    finish_answers();  // they need not wait for the next frame
  }
  if (is_read_only()) fail_in_flight();
}

// The outcome of a write that was in flight when another failed cannot be known. Nothing is
// answered before the last of them has ended, because its bytes are read until then.
void Writer::fail_in_flight() {
  const bool ended = std::ranges::all_of(in_flight_, &InFlight::ended);
  if (!ended) return;
  for (auto& frame : in_flight_)
    for (auto& answer : frame.answers) tell_failed(std::move(answer));
  in_flight_.clear();
}

void Writer::fail(const std::string& why) {
  {
    const std::lock_guard lock(state_mutex_);
    read_only_why_ = why;
  }
  read_only_.store(true, std::memory_order_release);
  tells_.log("read-only from now on: " + why +
             "; what was in flight may or may not be in the log; restart the process that owns the "
             "store");
}

void Writer::give(Answer answer, Position rests_on, bool rests_on_tracking) {
  const bool rests_on_flight =
      rests_on > log_.durable() || (rests_on_tracking && (frame_open_ || !in_flight_.empty()));
  if (!rests_on_flight) return tell(std::move(answer));
  if (frame_open_) return frame_answers_.push_back(std::move(answer));
  ESDB_CHECK(!in_flight_.empty());
  in_flight_.back().answers.push_back(std::move(answer));
}

void Writer::tell(Answer given) {
  if (!given.request) return;  // told when its time was over
  switch (given.kind) {
    case Answer::Kind::kAppended:
    case Answer::Kind::kRefused:
      return answer(std::move(given.request));
    case Answer::Kind::kRepeated:
      given.request->admitted = true;
      return tells_.answer_from_log(std::move(given.request), given.commit);
  }
}

void Writer::tell_all(std::vector<Answer> answers) {
  for (auto& answer : answers) tell(std::move(answer));
}

// Of a frame whose write failed, or that stood behind one: a refusal wrote nothing, the rest may be
// in the log or not.
void Writer::tell_failed(Answer given) {
  if (!given.request) return;
  const bool refused = given.kind == Answer::Kind::kRefused;
  answer(std::move(given.request),
         std::unexpected(
             refused ? error_of(ErrorCode::kReadOnly,
                                "append: nothing was written; the store is "
                                "read-only since a write failed")
                     : error_of(ErrorCode::kOutcomeUnknown,
                                "append: the write failed, and the events may or may not be in the "
                                "log; repeat it with the same ids once the store is open again")));
}

// Of a frame in flight, when the request's own time is over or its caller wants it no more.
void Writer::tell_late(Answer given) {
  const bool refused = given.kind == Answer::Kind::kRefused;
  const bool stopped = given.request->stop.stop_requested();
  answer(std::move(given.request),
         std::unexpected(
             refused ? error_of(stopped ? ErrorCode::kCancelled : ErrorCode::kTimedOut,
                                std::string("append: nothing was written; why it does not hold was "
                                            "not yet durable when ") +
                                    (stopped ? "it was stopped" : "the deadline passed"))
                     : error_of(ErrorCode::kOutcomeUnknown,
                                std::string("append: ") +
                                    (stopped ? "stopped" : "the deadline passed") +
                                    " while it was being written; repeat it with the same ids to "
                                    "learn its outcome")));
}

// Of a request that is not taken up, or was put back. The place in its session is kept: what comes
// behind it waits.
void Writer::hold(RequestPtr request, Position compare) {
  if (compare) request->compare = compare;
  request->prepared_again = true;
  if (request->session != 0) held_.try_emplace(request->session);
  tells_.prepare_again(std::move(request));
}

void Writer::answer(RequestPtr request, Result<Appended> result) {
  request->answer = std::move(result);
  answer(std::move(request));
}

void Writer::answer(RequestPtr request) {
  // Nothing is acknowledged that is not durable.
  if (request->answer) ESDB_CHECK(request->answer->last <= log_.durable());
  settle(*request);
  tells_.answer(std::move(request));
}

// One word for all answers of a turn: to the inbox, and to whoever runs completions.
void Writer::settle(const Request& request) {
  ++settled_.count;
  settled_.bytes += request.bytes;
}

void Writer::finish_answers() {
  if (settled_.count > 0) tells_.answered(std::exchange(settled_, {}));
}

// An append whose commit's write failed keeps an unknown outcome; one that is durable is still
// recognised; anything else was not written.
void Writer::refuse_while_read_only(RequestPtr request) {
  if (request->failed) {
    auto error = std::move(*request->failed);
    return answer(std::move(request), std::unexpected(std::move(error)));
  }
  auto verdict = judge_ids(*request->parts, window_);
  const auto& shown = request->prepared.retry_of;  // by its checks; it may have left the window
  if (shown && verdict.kind != Verdict::Kind::kRepeat)
    verdict = {.kind = Verdict::Kind::kRepeat, .commit = *shown};
  const bool durable = verdict.compare <= log_.durable();
  const bool compared = request->prepared.compared;
  if (verdict.kind == Verdict::Kind::kPrepareAgain && durable && !compared) {
    request->put_back();
    return hold(std::move(request), verdict.compare);
  }
  if (verdict.kind == Verdict::Kind::kRepeat && verdict.commit.last <= log_.durable())
    return tell(
        {.request = std::move(request), .kind = Answer::Kind::kRepeated, .commit = verdict.commit});
  if (verdict.kind == Verdict::Kind::kRepeat ||
      (verdict.kind == Verdict::Kind::kPrepareAgain && !durable))
    return tell_failed({.request = std::move(request), .kind = Answer::Kind::kRepeated});
  answer(std::move(request), std::unexpected(error_of(ErrorCode::kReadOnly, "append: " + state())));
}

void Writer::refuse_pending() {
  for (auto& [session, behind] : held_)
    for (auto& request : behind) pending_.push_back(std::move(request));
  held_.clear();
  for (auto& request : std::exchange(pending_, {})) {
    if (!take_up(request)) continue;
    if (shut_) {
      answer(std::move(request),
             std::unexpected(error_of(ErrorCode::kClosed, "append: the store was closed")));
    } else {
      refuse_while_read_only(std::move(request));
    }
  }
  pending_bytes_ = 0;
}

void Writer::shut() {
  shut_ = true;
  advance();
}

std::string Writer::state() const {
  if (is_read_only()) {
    const std::lock_guard lock(state_mutex_);
    return "read_only: " + read_only_why_ + "; restart the process that owns the store";
  }
  if (log_.disk_full())
    return "disk_full: the next segment needs space; appends go on when there is some";
  return "ready";
}

}  // namespace esdb::storage
