#include "storage/preparer.h"

#include <chrono>
#include <utility>

#include "storage/check.h"
#include "storage/index.h"
#include "storage/threads.h"

namespace esdb::storage {
namespace {

// How long an append that the index cannot answer for waits before it asks again.
constexpr std::chrono::milliseconds kPause{20};

}  // namespace

Preparer::Preparer(const Sources& sources, Tells tells)
    : sources_(sources), tells_(std::move(tells)) {}

Preparer::~Preparer() { close(); }

void Preparer::put(RequestPtr request) {
  {
    const std::lock_guard lock(mutex_);
    if (request->session != 0) ++sessions_[request->session];
    if (!closing_) {
      to_prepare_.push_back(std::move(request));
      return start();
    }
  }
  // The thread is gone, and nothing waits any more.
  ESDB_CHECK(prepare_one(request));
}

void Preparer::put_repeated(RequestPtr request, CommitSpan commit) {
  Repeat repeat{.request = std::move(request), .commit = commit};
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      repeats_.push_back(std::move(repeat));
      return start();
    }
  }
  answer(std::move(repeat));
}

void Preparer::start() {
  if (!thread_.joinable()) thread_ = quiet_thread("esdb-prepare", [this] { run(); });
  changed_.notify_one();
}

bool Preparer::holds_session(std::uint64_t session) const {
  if (session == 0) return false;
  const std::lock_guard lock(mutex_);
  return sessions_.contains(session);
}

void Preparer::finished(std::uint64_t session) {
  if (session == 0) return;
  const std::lock_guard lock(mutex_);
  if (const auto at = sessions_.find(session); at != sessions_.end() && --at->second == 0)
    sessions_.erase(at);
}

bool Preparer::step() {
  std::unique_lock lock(mutex_);
  if (!repeats_.empty()) {
    auto repeat = std::move(repeats_.front());
    repeats_.pop_front();
    lock.unlock();
    answer(std::move(repeat));
    return true;
  }
  if (to_prepare_.empty()) return false;
  auto request = std::move(to_prepare_.front());
  to_prepare_.pop_front();
  lock.unlock();
  const auto done = prepare_one(request);
  if (done) return true;
  lock.lock();
  to_prepare_.push_front(std::move(request));
  lock.unlock();
  return refuse_late(done.error());
}

// An error: why the index cannot answer yet.
Result<void> Preparer::prepare_one(RequestPtr& request) {
  const auto session = request->session;
  auto prepared = prepare(*request, sources_);
  // An index that is built anew answers later, for all of them. A shortage that keeps this one from
  // a sealed file may not hold up the others: it is answered.
  const bool may_come = !prepared && prepared.error().code == ErrorCode::kUnavailable &&
                        sources_.index != nullptr && sources_.index->needs_rebuild();
  if (may_come && std::chrono::steady_clock::now() < request->deadline &&
      !request->stop.stop_requested()) {
    const std::lock_guard lock(mutex_);
    if (!closing_) return prepared;
  }
  if (!prepared) {
    refuse(std::move(request), prepared.error());
  } else if (request->prepared_again) {
    tells_.prepared_again(std::move(request));
  } else {
    tells_.prepared(std::move(request));
  }
  finished(session);
  return {};
}

void Preparer::refuse(RequestPtr request, Error error) {
  if (error.code == ErrorCode::kUnavailable && request->stop.stop_requested())
    error = {.code = ErrorCode::kCancelled, .message = "append: stopped before it was taken up"};
  if (!request->prepared_again)
    return tells_.answer(std::move(request), std::unexpected(std::move(error)));
  request->failed = std::move(error);
  tells_.prepared_again(std::move(request));
}

// While the first waits for the index, those behind it are kept no longer than they want.
bool Preparer::refuse_late(const Error& why) {
  std::deque<RequestPtr> late;
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    const auto is_late = [now](const RequestPtr& request) {
      return now >= request->deadline || request->stop.stop_requested();
    };
    for (auto& request : to_prepare_)
      if (is_late(request)) late.push_back(std::move(request));
    std::erase(to_prepare_, nullptr);
  }
  for (auto& request : late) {
    const auto session = request->session;
    refuse(std::move(request), why);
    finished(session);
  }
  return !late.empty();
}

void Preparer::answer(Repeat repeat) {
  auto first = repeated(repeat.commit, sources_.log);
  tells_.answer(std::move(repeat.request), std::move(first));
}

void Preparer::run() {
  std::unique_lock lock(mutex_);
  const auto has_work = [this] { return !to_prepare_.empty() || !repeats_.empty(); };
  for (;;) {
    changed_.wait(lock, [&] { return closing_ || has_work(); });
    if (!has_work()) return;
    lock.unlock();
    const bool done = step();
    lock.lock();
    if (!done) changed_.wait_for(lock, kPause, [this] { return closing_ || !repeats_.empty(); });
  }
}

void Preparer::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace esdb::storage
