// UringIo: files of a directory, written through io_uring with O_DIRECT and RWF_DSYNC: one
// operation a write, many at once, the error on the very request.
//
// Threads: as Io.
#pragma once

#include <memory>
#include <string_view>

#include "storage/posix_io.h"

namespace esdb::storage {

class UringIo final : public PosixIo {
 public:
  using PosixIo::PosixIo;

  // 0, or the errno that says why this machine lets us have no ring (an old kernel, seccomp,
  // kernel.io_uring_disabled, RLIMIT_MEMLOCK).
  static int unavailable();

  IoResult<std::unique_ptr<Ring>> make_ring(unsigned depth, int wake_fd) override;
  std::string_view name() const override { return "uring"; }
};

}  // namespace esdb::storage
