// Threads of the store: named, and deaf to signals, which belong to the program; and how a call
// made on the program's own thread keeps from raising one.
//
// Threads: any.
#pragma once

#include <signal.h>

#include <functional>
#include <thread>

namespace esdb::storage {

// A thread that runs `body` with every signal blocked but those of its own faults. `name`: at most
// 15 bytes, for ps and gdb.
std::thread quiet_thread(const char* name, std::move_only_function<void()> body);

// From now on whoever wakes while this thread computes goes first, and does not wait for the end of
// its turn: the scheduler's default lets it finish some milliseconds, which is what an append then
// took. Its share of the processor stays what it was. From Linux 6.12 on (a slice of its own is
// asked for with sched_setattr(2)); where that is not so, or not allowed, nothing changes.
void let_others_go_first();

// While it lives, this thread is not killed where a file would grow beyond the process's limit: the
// call fails with EFBIG, which is a full disk.
class WithoutFileSizeSignal {
 public:
  WithoutFileSizeSignal();
  ~WithoutFileSizeSignal();
  WithoutFileSizeSignal(const WithoutFileSizeSignal&) = delete;
  WithoutFileSizeSignal& operator=(const WithoutFileSizeSignal&) = delete;

 private:
  sigset_t before_{};
  bool was_pending_ = false;
};

}  // namespace esdb::storage
