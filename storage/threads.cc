#include "storage/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace esdb::storage {
namespace {

// struct sched_attr of sched_setattr(2), which the C library does not declare.
struct Scheduling {
  std::uint32_t size = sizeof(Scheduling);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t slice_ns = 0;  // "runtime" there
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

// Longer than the default of any machine (some 3 ms): waking threads with a shorter one go first.
constexpr std::uint64_t kLongSliceNs = 20'000'000;

}  // namespace

void let_others_go_first() {
  Scheduling now;
  if (::syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != SCHED_OTHER)
    return;
  now.size = sizeof now;
  now.slice_ns = kLongSliceNs;
  [[maybe_unused]] const auto set = ::syscall(SYS_sched_setattr, 0, &now, 0);
}

std::thread quiet_thread(const char* name, std::move_only_function<void()> body) {
  // The mask is inherited: blocking around the start leaves no moment in which the new thread could
  // take a signal.
  struct Mask {
    sigset_t before{};
    ~Mask() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }  // also where none can be started
  } mask;
  sigset_t all;
  sigfillset(&all);
  // Faults are raised on the thread that makes them; blocked, they kill without asking the
  // program's handler.
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &mask.before);
  std::thread thread([body = std::move(body)]() mutable { body(); });
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

WithoutFileSizeSignal::WithoutFileSizeSignal() {
  sigset_t pending;
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGXFSZ);
  sigpending(&pending);
  was_pending_ = sigismember(&pending, SIGXFSZ) == 1;
  pthread_sigmask(SIG_BLOCK, &one, &before_);
}

WithoutFileSizeSignal::~WithoutFileSizeSignal() {
  const int number = errno;  // of the call that it was for
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGXFSZ);
  const timespec at_once{};
  if (!was_pending_)  // the program's own is left to it
    while (::sigtimedwait(&one, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  errno = number;
}

}  // namespace esdb::storage
