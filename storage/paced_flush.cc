#include "storage/paced_flush.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

// Names that ld(1) gives: the system's function, and what is called instead of it.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" [[gnu::weak]] int __real_fdatasync(int fd);  // null where the linker was not asked to
extern "C" int __wrap_fdatasync(int fd);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace esdb::storage {

namespace {

bool& is_paced() {
  thread_local bool paced = false;
  return paced;
}

// False, with errno: pages could not be written. The system tells that once for each open file: the
// flush that follows would not. That a system or a sandbox has no such call must therefore be found
// out by one that does nothing.
bool flush_in_slices(int fd) {
  if (::sync_file_range(fd, 0, 0, 0) != 0) return true;
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  const auto end = static_cast<std::uint64_t>(status.st_size);
  const auto slice = std::max(kFlushSliceBytes, end / kFlushSlicesMax);
  for (std::uint64_t at = 0; at < end; at += slice)
    if (::sync_file_range(fd, static_cast<off_t>(at), static_cast<off_t>(slice),
                          SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) != 0)
      return false;
  return true;
}

}  // namespace

PacedFlush::PacedFlush() : before_(std::exchange(is_paced(), true)) {}
PacedFlush::~PacedFlush() { is_paced() = before_; }

}  // namespace esdb::storage

// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" int __wrap_fdatasync(int fd) {
  if (esdb::storage::is_paced() && !esdb::storage::flush_in_slices(fd)) return -1;
  return __real_fdatasync(fd);
}
