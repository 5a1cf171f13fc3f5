#include "storage/threads.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace esdb::storage {

std::thread quiet_thread(const char* name, std::move_only_function<void()> body) {
  // The mask is inherited: blocking around the start leaves no moment in which the new thread could
  // take a signal.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // Faults are raised on the thread that makes them; blocked, they kill without asking the
  // program's handler.
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([body = std::move(body)]() mutable { body(); });
  pthread_setname_np(thread.native_handle(), name);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace esdb::storage
