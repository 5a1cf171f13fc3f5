#include "storage/paced_flush.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

// Names that ld(1) gives: the system's function, and what is called instead of it.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" int __real_fdatasync(int fd);
extern "C" int __wrap_fdatasync(int fd);
// NOLINTEND(bugprone-reserved-identifier)

namespace esdb::storage {

namespace {

thread_local bool is_paced = false;
thread_local std::uint64_t slices = 0;

// False, with errno: pages could not be written. The system tells that once for each open file, so
// that the flush that follows would not.
bool flush_in_slices(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  const auto end = static_cast<std::uint64_t>(status.st_size);
  for (std::uint64_t at = 0; at < end; at += kFlushSliceBytes) {
    if (::sync_file_range(fd, static_cast<off_t>(at), kFlushSliceBytes,
                          SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) != 0)
      return errno == ENOSYS || errno == EINVAL || errno == ESPIPE;  // not here: all at once
    ++slices;
  }
  return true;
}

}  // namespace

PacedFlush::PacedFlush() : before_(std::exchange(is_paced, true)) {}
PacedFlush::~PacedFlush() { is_paced = before_; }

std::uint64_t flushed_slices() { return slices; }

}  // namespace esdb::storage

// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" int __wrap_fdatasync(int fd) {
  if (esdb::storage::is_paced && !esdb::storage::flush_in_slices(fd)) return -1;
  return __real_fdatasync(fd);
}
