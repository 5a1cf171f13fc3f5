#include "storage/index_health.h"

#include <fcntl.h>
#include <unistd.h>

namespace esdb::storage {

namespace {

constexpr int kFilePermissions = 0600;

}  // namespace

Error IndexHealth::damaged(std::string_view what) {
  {
    const std::lock_guard lock(mutex_);
    if (is_damaged()) return {.code = ErrorCode::kUnavailable, .message = what_};
    what_ = "the index is damaged (" + std::string(what) +
            "), the log is not: a store open for writing rebuilds it";
    damaged_.store(true, std::memory_order_release);
  }
  std::string line = what_;
  if (!marker_.empty()) {
    const int fd = ::open(marker_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kFilePermissions);
    if (fd < 0 || ::fsync(fd) != 0) line += "; could not write " + marker_ + ": delete the index";
    if (fd >= 0) ::close(fd);
  }
  if (log_) log_(line);
  return error();
}

Error IndexHealth::error() const {
  const std::lock_guard lock(mutex_);
  return {.code = ErrorCode::kUnavailable, .message = what_};
}

void IndexHealth::forget() {
  const std::lock_guard lock(mutex_);
  what_.clear();
  damaged_.store(false, std::memory_order_release);
}

}  // namespace esdb::storage
