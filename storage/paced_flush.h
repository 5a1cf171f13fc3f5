// Flushes of a file in slices. Asked to flush, the system gives all dirty pages of a file to the
// device at once: some 45,000 after a commit of the index, and until its queue of some hundred
// requests has gone down, an append waits milliseconds behind them. A slice at a time, each waited
// for before the next, they leave room, and take hardly longer.
//
// LMDB flushes in the middle of its commit, through fdatasync, and has no place before it. In
// programs, the linker puts a function of paced_flush.cc in its stead (CMakeLists.txt: --wrap), for
// LMDB and for every other object of the program; it does nothing of its own but in a thread that
// asks for it here. Where it is not put there, a flush is the system's.
//
// Threads: any.
#pragma once

#include <cstdint>

namespace esdb::storage {

// A slice has so many bytes, or as many as make so many slices of a file.
inline constexpr std::uint64_t kFlushSliceBytes = 512 << 10;
inline constexpr std::uint64_t kFlushSlicesMax = 2'048;

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

}  // namespace esdb::storage
