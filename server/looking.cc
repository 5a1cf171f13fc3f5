#include "server/looking.h"

#include <pthread.h>
#include <signal.h>

namespace esdb::server {

Looking::Looking(kj::UnixEventPort& port)
    : wake_(port, answers_.wake_fd(), kj::UnixEventPort::FdObserver::OBSERVE_READ),
      watching_(watch().eagerlyEvaluate(nullptr)) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this]() { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Looking::~Looking() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Looking::push(Work work) {
  {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void Looking::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this]() { return stopping_ || !work_.empty(); });
    if (stopping_) return;
    auto work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

kj::Promise<void> Looking::watch() {
  return wake_.whenBecomesReadable().then([this]() {
    auto next = watch();
    answers_.drain();
    return next;
  });
}

}  // namespace esdb::server
