#include "storage/preparer.h"

#include <chrono>
#include <utility>

#include "storage/threads.h"

namespace esdb::storage {
namespace {

// How long an append that the index cannot answer for waits before it asks again.
constexpr std::chrono::milliseconds kPause{20};

}  // namespace

Preparer::Preparer(const Sources& sources, Tells tells)
    : sources_(sources), tells_(std::move(tells)) {}

Preparer::~Preparer() { close(); }

void Preparer::put(RequestPtr request) { put(Job{.request = std::move(request)}); }

void Preparer::put_repeated(RequestPtr request, CommitSpan commit) {
  put(Job{.request = std::move(request), .repeated = commit});
}

void Preparer::put(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (job.request->session != 0 && !job.repeated) ++sessions_[job.request->session];
    if (!closing_) {
      jobs_.push_back(std::move(job));
      if (!thread_.joinable()) thread_ = quiet_thread("esdb-prepare", [this] { run(); });
      changed_.notify_one();
      return;
    }
  }
  do_job(job);  // the thread is gone, and nothing waits any more
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
  Job job;
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.empty()) return false;
    job = std::move(jobs_.front());
    jobs_.pop_front();
  }
  if (do_job(job)) return true;
  const std::lock_guard lock(mutex_);
  jobs_.push_front(std::move(job));
  return false;
}

bool Preparer::do_job(Job& job) {
  const auto session = job.request->session;
  if (job.repeated) {
    tells_.answer(std::move(job.request), repeated(*job.repeated, sources_.log));
    return true;
  }
  auto prepared = prepare(*job.request, sources_);
  const bool may_come = !prepared && prepared.error().code == ErrorCode::kUnavailable;
  if (may_come && std::chrono::steady_clock::now() < job.request->deadline &&
      !job.request->stop.stop_requested()) {
    const std::lock_guard lock(mutex_);
    if (!closing_) return false;
  }
  if (job.request->prepared_again) {
    if (!prepared) job.request->failed = prepared.error();
    tells_.prepared_again(std::move(job.request));
  } else if (!prepared) {
    tells_.answer(std::move(job.request), std::unexpected(prepared.error()));
  } else {
    tells_.prepared(std::move(job.request));
  }
  finished(session);
  return true;
}

void Preparer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    lock.unlock();
    const bool done = step();
    lock.lock();
    if (!done && !closing_) changed_.wait_for(lock, kPause);
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
