#include "client/calls.h"

#include <algorithm>

namespace esdb::client {
namespace {

using std::chrono::steady_clock;

// The server is told how much time is left and answers itself; only if it does not, this side does.
constexpr std::chrono::milliseconds kGrace{500};
constexpr auto kSilence = 5 * kj::SECONDS;

bool says_nothing_was_written(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kOverloaded:
    case ErrorCode::kDiskFull:
    case ErrorCode::kReadOnly:
    case ErrorCode::kTimedOut:
    case ErrorCode::kCancelled:
    case ErrorCode::kClosed:
    case ErrorCode::kLocked:
    case ErrorCode::kDenied:
    case ErrorCode::kUnsupported:
    case ErrorCode::kOtherStore:
      return true;
    default:
      return false;
  }
}

Error outcome_unknown(const std::string& why) {
  return {.code = ErrorCode::kOutcomeUnknown,
          .message =
              "the append was sent and its answer lost (" + why + "): repeat it with the same ids"};
}

std::chrono::milliseconds left_until(Deadline deadline) {
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()),
                  std::chrono::milliseconds{1});
}

}  // namespace

Calls::Calls(Link& link, kj::Timer& timer) : link_(link), timer_(timer), tasks_(*this) {
  link_.add(*this);
}

Calls::~Calls() { link_.remove(*this); }

void Calls::add(std::uint64_t id, Call call) {
  if (closed_) {
    call.fail({.code = ErrorCode::kClosed, .message = "the store is closed"});
    return;
  }
  deadlines_.emplace(call.deadline, id);
  entries_.emplace_hint(entries_.end(), id, Entry{.call = std::move(call)});
  unsent_from_ = std::min(unsent_from_, id);  // threads may overtake each other on their way here
  watch_deadlines();
  if (link_.is_up())
    send_waiting();
  else
    link_.need();
}

void Calls::cancel(std::uint64_t id) {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return;
  const auto& entry = at->second;
  if (entry.call.is_append && (entry.lost || entry.in_flight))
    end(at, outcome_unknown("it was cancelled"));
  else
    end(at, {.code = ErrorCode::kCancelled, .message = "the call was cancelled"});
}

// ---- sending

void Calls::link_up() {
  unsent_from_ = 0;
  send_waiting();
}

// In order, and no more at once than the server allows.
void Calls::send_waiting() {
  const std::size_t most = std::max(1u, link_.welcome().calls / 2);
  auto at = entries_.lower_bound(unsent_from_);
  for (; at != entries_.end() && in_flight_ < most && link_.is_up(); ++at) {
    unsent_from_ = at->first + 1;
    if (!at->second.in_flight) send(at->first, at->second);
  }
}

void Calls::send(std::uint64_t id, Entry& entry) {
  const auto attempt = entry.attempt = link_.generation();
  entry.in_flight = true;
  ++in_flight_;
  auto sent = kj::evalNow(
      [&]() { return entry.call.send(link_.session(), left_until(entry.call.deadline)); });
  tasks_.add(sent.then(
      [this, id, attempt](std::optional<Error> error) { answered(id, attempt, std::move(error)); },
      [this, id, attempt](kj::Exception&& why) { broke(id, attempt, kj::mv(why)); }));
}

// ---- what comes back

void Calls::answered(std::uint64_t id, std::uint64_t attempt, std::optional<Error> error) {
  link_.worked();
  const auto at = entries_.find(id);
  if (at == entries_.end() || at->second.attempt != attempt || !at->second.in_flight) return;
  if (!error) {
    erase(at);
  } else if (at->second.lost && says_nothing_was_written(error->code)) {
    // Nothing was written by this attempt; what became of the one before it is still not known.
    end(at, outcome_unknown(error->message));
  } else {
    end(at, *std::move(error));
  }
  if (link_.is_up()) send_waiting();
}

void Calls::broke(std::uint64_t id, std::uint64_t attempt, kj::Exception&& why) {
  const auto at = entries_.find(id);
  if (at == entries_.end() || at->second.attempt != attempt || !at->second.in_flight) return;
  at->second.in_flight = false;
  --in_flight_;
  at->second.lost = at->second.call.is_append;
  if (why.getType() != kj::Exception::Type::DISCONNECTED) {
    end(at, failed(at->second, why));
    return;
  }
  unsent_from_ = std::min(unsent_from_, id);
  if (closed_) {
    end(at, at->second.lost ? outcome_unknown("the store was closed")
                            : Error{.code = ErrorCode::kClosed, .message = "the store is closed"});
    return;
  }
  link_.need();
}

// The connection stands, and the server could not answer this call.
Error Calls::failed(const Entry& entry, const kj::Exception& why) {
  if (why.getType() == kj::Exception::Type::UNIMPLEMENTED)
    return {.code = ErrorCode::kUnsupported,
            .message = "the server is too old for this call: upgrade it"};
  const auto said = std::string("the server failed to answer: ") + why.getDescription().cStr();
  if (entry.lost) return outcome_unknown(said);
  return {.code = ErrorCode::kUnavailable, .message = said};
}

void Calls::link_down(const Error& why, bool is_final) {
  // What was in flight is not, even where its own failure has not come in yet: all of it goes again
  // in its order.
  for (auto& [id, entry] : entries_)
    if (std::exchange(entry.in_flight, false)) entry.lost = entry.call.is_append;
  in_flight_ = 0;
  for (auto next = entries_.begin(); next != entries_.end();) {
    const auto at = next++;
    if (!is_final && !at->second.call.only_now && !closed_) continue;
    end(at, at->second.lost ? outcome_unknown(why.message) : why);
  }
  if (!entries_.empty()) link_.need();
}

void Calls::end(Entries::iterator at, Error error) {
  auto fail = std::move(at->second.call.fail);
  erase(at);
  fail(std::move(error));
}

Calls::Entries::iterator Calls::erase(Entries::iterator at) {
  if (at->second.in_flight) --in_flight_;
  deadlines_.erase({at->second.call.deadline, at->first});
  const auto next = entries_.erase(at);
  if (closed_ && entries_.empty()) finish_closing();
  return next;
}

void Calls::taskFailed(kj::Exception&&) {}  // broke() has seen it

// ---- deadlines

void Calls::watch_deadlines() {
  if (deadlines_.empty()) return;
  const auto first = deadlines_.begin()->first;
  if (watched_ && *watched_ <= first) return;
  watched_ = first;
  const auto wait = left_until(first);
  watching_ = timer_.afterDelay(wait.count() * kj::MILLISECONDS)
                  .then([this]() {
                    // What is answered may replace this promise: not within itself.
                    tasks_.add(kj::evalLater([this]() { expire(); }));
                  })
                  .eagerlyEvaluate(nullptr);
}

void Calls::expire() {
  watched_.reset();
  while (!deadlines_.empty() && deadlines_.begin()->first <= steady_clock::now()) {
    const auto at = entries_.find(deadlines_.begin()->second);
    auto& entry = at->second;
    if (entry.in_flight && link_.is_up() && !entry.late) {
      entry.late = true;
      deadlines_.erase(deadlines_.begin());
      entry.call.deadline += kGrace;
      deadlines_.emplace(entry.call.deadline, at->first);
    } else {
      // It was told the deadline, and answers nobody else either: it is gone without a word.
      if (entry.call.is_append && entry.in_flight && link_.is_up() && link_.silence() > kSilence)
        link_.cut("the server does not answer");
      end(at, expired(entry));
    }
  }
  watch_deadlines();
}

Error Calls::expired(const Entry& entry) const {
  const auto& why = link_.last_error().message;
  if (entry.call.is_append && (entry.lost || entry.in_flight))
    return outcome_unknown(link_.is_up() ? "the server does not answer" : why);
  if (!link_.is_up()) return link_.last_error();
  return {.code = ErrorCode::kTimedOut,
          .message = "the deadline passed before the server answered"};
}

// ---- closing

void Calls::close(std::function<void()> closed) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto now = at++;
    const auto& entry = now->second;
    if (entry.call.is_append && entry.in_flight && link_.is_up()) continue;
    end(now, entry.lost ? outcome_unknown("the store was closed")
                        : Error{.code = ErrorCode::kClosed, .message = "the store is closed"});
  }
  closed_ = std::move(closed);
  if (entries_.empty()) finish_closing();
}

void Calls::finish_closing() {
  tasks_.add(kj::evalLater([closed = closed_]() { closed(); }));
}

}  // namespace esdb::client
