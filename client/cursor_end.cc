#include "client/cursor_end.h"

#include <algorithm>
#include <utility>

#include "protocol/wire.h"

namespace esdb::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A wait is asked for in pieces, by which a server that is gone without a word is noticed.
constexpr milliseconds kWaitMax{15'000};
constexpr milliseconds kAnswerTime{10'000};
constexpr unsigned kAhead = 2;        // batches received or asked for that nobody has taken yet
constexpr std::uint64_t kNobody = 0;  // whom a call that asks ahead is for

kj::Duration to_kj(milliseconds duration) { return duration.count() * kj::MILLISECONDS; }

Error cancelled() {
  return {.code = ErrorCode::kCancelled, .message = "the wait for events was cancelled"};
}

}  // namespace

CursorEnd::CursorEnd(Link& link, kj::Timer& timer, CursorRequest request)
    : link_(link), timer_(timer), request_(std::move(request)), tasks_(*this) {
  link_.add(*this);
}

CursorEnd::~CursorEnd() {
  if (cursor_ && waiting_ && link_.is_up()) stop_waiting();
  link_.remove(*this);
}

void CursorEnd::ask(Ask ask) {
  if (ask_) {
    ask.answer(std::unexpected(
        Error{.code = ErrorCode::kInvalidArgument, .message = "next: one is in flight already"}));
    return;
  }
  max_bytes_ = std::max<std::size_t>(ask.max_bytes, 1);
  ask_ = std::move(ask);
  if (!ready_.empty()) {
    deliver_ready();
    ask_ahead();
  } else if (progress_.finished) {
    deliver(protocol::ReceivedBatch{.progress = progress_});
  } else {
    watch_deadline();
    go_on();
  }
}

void CursorEnd::cancel(std::uint64_t id) {
  if (!ask_ || (id != 0 && ask_->id != id)) return;
  stop_waiting();
  deliver(std::unexpected(cancelled()));
}

void CursorEnd::close() {
  deliver(std::unexpected(Error{.code = ErrorCode::kClosed, .message = "the store is closed"}));
  forget_cursor();
}

// ---- asking

// Does what the pending ask needs next.
void CursorEnd::go_on() {
  if (!ask_) return;
  if (!link_.is_up()) {
    link_.need();
    return;
  }
  if (!cursor_) open();
  if (outstanding_ != 0) return;  // their answers come first
  // Where "the end" is has to be known before it is waited for: it is where a broken wait goes on.
  const bool anchors = !started_ && request_.options.start.kind == Start::Kind::kEnd;
  auto wait = kWaitMax;
  if (ask_->deadline)
    wait = std::clamp(std::chrono::ceil<milliseconds>(*ask_->deadline - steady_clock::now()),
                      milliseconds{0}, kWaitMax);
  send_next(ask_->id, max_bytes_, anchors ? milliseconds{0} : wait);
}

void CursorEnd::open() {
  generation_ = link_.generation();
  if (request_.subscribes) {
    auto call = link_.session().subscribeRequest();
    protocol::put(request_.query, call.initQuery());
    protocol::put(resume(), call.initStart());
    cursor_ = call.send().getCursor();
    return;
  }
  auto options = request_.options;
  options.start = resume();
  options.limit -= given_;
  auto call = link_.session().readRequest();
  protocol::put(request_.query, call.initQuery());
  protocol::put(options, call.initOptions());
  cursor_ = call.send().getCursor();
}

// Position 0 is where either direction begins, which is not where a backwards reader stands.
Start CursorEnd::resume() const {
  const bool stands_somewhere = started_ && (progress_.considered.position ||
                                             request_.options.direction == Direction::kForwards);
  return stands_somewhere ? Start::after(progress_.considered) : request_.options.start;
}

void CursorEnd::send_next(std::uint64_t for_ask, std::size_t max_bytes, milliseconds wait) {
  auto call = cursor_->nextRequest();
  call.setMaxBytes(max_bytes);
  call.setWaitMs(protocol::to_wire(wait));
  ++outstanding_;
  waiting_ = wait.count() != 0;
  tasks_.add(call.send().then(
      [this, generation = generation_, for_ask](auto answer) {
        if (answer.isBatch())
          answered(generation, for_ask, protocol::get(answer.getBatch()));
        else
          answered(generation, for_ask, std::unexpected(protocol::get(answer.getError())));
      },
      [this, generation = generation_](kj::Exception&& why) { broke(generation, why); }));
  watch_server(wait);
}

// While events keep coming, the next ones are asked for before they are wanted.
void CursorEnd::ask_ahead() {
  if (!started_ || progress_.finished || !cursor_ || !link_.is_up() || waiting_) return;
  if (request_.options.direction == Direction::kForwards &&
      progress_.considered.position >= progress_.head)
    return;
  while (ready_.size() + outstanding_ < kAhead) send_next(kNobody, max_bytes_, milliseconds{0});
}

// ---- answers

void CursorEnd::answered(std::uint64_t generation, std::uint64_t for_ask,
                         Result<protocol::ReceivedBatch> answer) {
  link_.worked();
  if (generation != generation_ || !cursor_) return;
  --outstanding_;
  waiting_ = false;
  const bool asked_for = ask_ && ask_->id == for_ask;
  const bool came = answer.has_value();
  if (came)
    absorb(*std::move(answer), for_ask);
  else if (asked_for && answer.error().code != ErrorCode::kCancelled)
    deliver(std::unexpected(answer.error()));
  // An error that nobody asked for is asked for again when somebody does.
  if (outstanding_ == 0)
    server_watch_ = kj::READY_NOW;
  else
    watch_server(milliseconds{0});
  deliver_ready();
  if (ask_)
    go_on();
  else if (came)
    ask_ahead();
}

void CursorEnd::absorb(protocol::ReceivedBatch batch, std::uint64_t for_ask) {
  started_ = true;
  given_ += batch.places.size();
  progress_ = batch.progress;
  // A read ends where it would have ended had its connection not broken.
  if (!request_.subscribes && request_.options.direction == Direction::kForwards &&
      !request_.options.up_to)
    request_.options.up_to = progress_.head;
  if (!batch.places.empty() || progress_.finished)
    ready_.push_back(std::move(batch));
  else if (ask_ && ask_->id == for_ask && is_due())
    deliver(std::move(batch));
}

void CursorEnd::broke(std::uint64_t generation, const kj::Exception& why) {
  if (generation != generation_ || !cursor_) return;
  forget_cursor();
  if (!ask_) return;
  if (why.getType() == kj::Exception::Type::DISCONNECTED) {
    // The link says so, too, and whether it gets better.
    if (!link_.is_up()) link_.need();
    return;
  }
  deliver(std::unexpected(Error{
      .code = ErrorCode::kUnavailable,
      .message = std::string("the server failed to answer: ") + why.getDescription().cStr()}));
}

void CursorEnd::deliver_ready() {
  if (!ask_ || ready_.empty()) return;
  auto batch = std::move(ready_.front());
  ready_.pop_front();
  deliver(std::move(batch));
}

void CursorEnd::deliver(Result<protocol::ReceivedBatch> answer) {
  if (!ask_) return;
  auto ask = std::move(*ask_);
  ask_.reset();
  ask.answer(std::move(answer));
}

void CursorEnd::stop_waiting() {
  if (!cursor_ || !waiting_ || !link_.is_up()) return;
  tasks_.add(cursor_->cancelRequest().send().ignoreResult());
}

void CursorEnd::forget_cursor() {
  cursor_.reset();
  outstanding_ = 0;
  waiting_ = false;
  server_watch_ = kj::READY_NOW;
}

void CursorEnd::taskFailed(kj::Exception&&) {}  // broke() has seen it, or nobody waits for it

// ---- the link

void CursorEnd::link_up() { go_on(); }

void CursorEnd::link_down(const Error& why, bool is_final) {
  forget_cursor();
  if (!ask_) return;
  if (is_final || is_due())
    deliver(std::unexpected(why));
  else
    link_.need();
}

// ---- time

bool CursorEnd::is_due() const {
  constexpr milliseconds kRounding{1};
  return ask_ && ask_->deadline && *ask_->deadline <= steady_clock::now() + kRounding;
}

// With a connection the server ends the wait; without one, and none being made, nobody else does.
void CursorEnd::watch_deadline() {
  if (!ask_->deadline) {
    deadline_ = kj::READY_NOW;
    return;
  }
  const auto wait = std::max(std::chrono::ceil<milliseconds>(*ask_->deadline - steady_clock::now()),
                             milliseconds{0});
  deadline_ = timer_.afterDelay(to_kj(wait))
                  .then([this, id = ask_->id]() {
                    if (ask_ && ask_->id == id && !link_.is_up() && !link_.is_connecting())
                      deliver(std::unexpected(link_.last_error()));
                  })
                  .eagerlyEvaluate(nullptr);
}

// A server that says nothing at all for so long is gone.
void CursorEnd::watch_server(milliseconds wait) {
  server_watch_ = timer_.afterDelay(to_kj(wait + kAnswerTime))
                      .then([this]() { link_.cut("the server does not answer"); })
                      .eagerlyEvaluate(nullptr);
}

}  // namespace esdb::client
