#include "protocol/loop_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace esdb::protocol {

LoopQueue::LoopQueue() : wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

LoopQueue::~LoopQueue() {
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

bool LoopQueue::push(Work work) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    was_empty = work_.empty();
    work_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  // A counter that is full is readable already.
  if (was_empty) [[maybe_unused]]
    const auto written = ::write(wake_fd_, &one, sizeof(one));
  return true;
}

std::size_t LoopQueue::drain() {
  std::uint64_t ignored = 0;
  [[maybe_unused]] const auto got = ::read(wake_fd_, &ignored, sizeof(ignored));
  std::size_t count = 0;
  for (;;) {
    std::vector<Work> taken;
    {
      const std::lock_guard lock(mutex_);
      taken.swap(work_);
    }
    if (taken.empty()) return count;
    for (auto& work : taken) work();
    count += taken.size();
  }
}

void LoopQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

}  // namespace esdb::protocol
