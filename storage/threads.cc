#include "storage/threads.h"

#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <utility>

namespace esdb::storage {

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
