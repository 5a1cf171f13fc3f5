#include "server/looking.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>

namespace esdb::server {

Looking::Looking(kj::UnixEventPort& port)
    : wake_(port, answers_.wake_fd(), kj::UnixEventPort::FdObserver::OBSERVE_READ),
      watching_(watch().eagerlyEvaluate(nullptr)) {}

Looking::~Looking() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

Error Looking::left() {
  return {.code = ErrorCode::kCancelled, .message = "who asked has left: it was not looked up"};
}

void Looking::Lane::push(std::uint64_t owner, Work work) {
  auto& mine = waiting[owner];
  if (mine.empty()) turns.push_back(owner);
  mine.push_back(std::move(work));
}

void Looking::push(const Terms& terms, Work work) {
  bool too_few = false;
  {
    const std::lock_guard lock(mutex_);
    (terms.length == Length::kLong ? long_ : short_).push(terms.owner, std::move(work));
    too_few = ++waiting_ + running_ > threads_.size();
  }
  if (too_few && threads_.size() < kThreads) start_thread();
  changed_.notify_one();
}

void Looking::start_thread() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  threads_.emplace_back([this]() { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Looking::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::optional<Taken> taken;
    changed_.wait(lock, [&]() { return stopping_ || (taken = take()); });
    if (stopping_) return;
    --waiting_;
    ++running_;
    lock.unlock();
    taken->work();
    lock.lock();
    --running_;
    if (taken->length == Length::kShort) continue;
    --long_running_all_;
    if (auto mine = long_running_.find(taken->owner); --mine->second == 0)
      long_running_.erase(mine);
    changed_.notify_one();  // a long one may be taken that could not before
  }
}

std::optional<Looking::Taken> Looking::take() {
  for (int i = 0; i < 2; ++i) {
    const bool take_long = std::exchange(long_is_next_, !long_is_next_);
    auto taken = take_long ? take_from(long_, Length::kLong) : take_from(short_, Length::kShort);
    if (taken) return taken;
  }
  return std::nullopt;
}

std::optional<Looking::Taken> Looking::take_from(Lane& lane, Length length) {
  const bool is_long = length == Length::kLong;
  if (is_long && long_running_all_ == kLongMax) return std::nullopt;
  const auto may_begin = [&](std::uint64_t owner) {
    const auto mine = long_running_.find(owner);
    return !is_long || mine == long_running_.end() || mine->second < kLongOfOwnerMax;
  };
  const auto turn = std::ranges::find_if(lane.turns, may_begin);
  if (turn == lane.turns.end()) return std::nullopt;
  const auto owner = *turn;
  lane.turns.erase(turn);
  const auto mine = lane.waiting.find(owner);
  Taken taken{.owner = owner, .length = length, .work = std::move(mine->second.front())};
  mine->second.pop_front();
  if (mine->second.empty())
    lane.waiting.erase(mine);
  else
    lane.turns.push_back(owner);
  if (is_long) {
    ++long_running_[owner];
    ++long_running_all_;
  }
  return taken;
}

kj::Promise<void> Looking::watch() {
  return wake_.whenBecomesReadable().then([this]() {
    auto next = watch();
    answers_.drain();
    return next;
  });
}

}  // namespace esdb::server
