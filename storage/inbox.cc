#include "storage/inbox.h"

#include <utility>

#include "storage/check.h"

namespace esdb::storage {

bool Inbox::put(RequestPtr& request) {
  const std::lock_guard lock(mutex_);
  if (closed_ || !has_room(request->bytes)) return false;
  add(request);
  return true;
}

// Counted when it is there: memory for it may be refused.
void Inbox::add(RequestPtr& request) {
  const auto bytes = request->bytes;
  fresh_.push_back(std::move(request));
  ++count_;
  bytes_ += bytes;
  waiting_bytes_ += bytes;
}

bool Inbox::admit(Request& request) {
  const std::lock_guard lock(mutex_);
  if (closed_ || !has_room(request.bytes)) return false;
  ++count_;
  bytes_ += request.bytes;
  request.admitted = true;
  return true;
}

bool Inbox::put_admitted(RequestPtr& request) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  waiting_bytes_ += request->bytes;
  request->admitted = false;
  fresh_.push_back(std::move(request));
  return true;
}

void Inbox::put_again(RequestPtr request) {
  const std::lock_guard lock(mutex_);
  waiting_bytes_ += request->bytes;
  again_.push_back(std::move(request));
}

bool Inbox::put_until(RequestPtr& request, std::chrono::steady_clock::time_point deadline) {
  const auto stop = request->stop;
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard woken(mutex_);
    room_.notify_all();
  });
  std::unique_lock lock(mutex_);
  const auto may_go = [&] { return closed_ || stop.stop_requested() || has_room(request->bytes); };
  if (!room_.wait_until(lock, deadline, may_go)) return false;
  if (closed_ || stop.stop_requested()) return false;
  add(request);
  return true;
}

void Inbox::take(std::vector<RequestPtr>& again, std::vector<RequestPtr>& fresh) {
  const std::lock_guard lock(mutex_);
  again.swap(again_);
  fresh.swap(fresh_);
  waiting_bytes_ = 0;
}

void Inbox::settled(std::size_t bytes, std::size_t count) {
  {
    const std::lock_guard lock(mutex_);
    ESDB_CHECK(count_ >= count && bytes_ >= bytes);
    count_ -= count;
    bytes_ -= bytes;
  }
  room_.notify_all();  // one that settles may make room for several
}

bool Inbox::empty() const {
  const std::lock_guard lock(mutex_);
  return fresh_.empty() && again_.empty();
}

void Inbox::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  room_.notify_all();
}

}  // namespace esdb::storage
