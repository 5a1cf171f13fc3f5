// Flushes of a file in slices. Asked to flush, the system gives all dirty pages of a file to the
// device at once: tens of thousands after a commit of the index, and until its queue of some
// hundred requests has gone down, an append waits milliseconds behind them. A slice at a time, each
// waited for before the next, they leave room, and take hardly longer.
//
// LMDB flushes in the middle of its commit, through fdatasync, and has no place before it. The
// linker puts a function of paced_flush.cc in its stead (CMakeLists.txt: --wrap), which does
// nothing of its own but in a thread that asks for it here.
//
// Threads: any.
#pragma once

#include <cstdint>

namespace esdb::storage {

inline constexpr std::uint64_t kFlushSliceBytes = 512 << 10;

// While it lives, fdatasync in this thread flushes in slices.
class PacedFlush {
 public:
  PacedFlush();
  ~PacedFlush();
  PacedFlush(const PacedFlush&) = delete;
  PacedFlush& operator=(const PacedFlush&) = delete;

 private:
  bool before_;
};

// That this thread has flushed so far.
std::uint64_t flushed_slices();

}  // namespace esdb::storage
