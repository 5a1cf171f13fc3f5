#include "storage/threads.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <future>
#include <string>
#include <thread>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

TEST(Threads, AQuietThreadHasItsNameAndBlocksEverySignalOfTheProgram) {
  std::promise<void> named;
  std::string name(16, '\0');
  sigset_t blocked;
  auto thread = quiet_thread("esdb-test", [&, ready = named.get_future()]() mutable {
    ready.wait();
    pthread_getname_np(pthread_self(), name.data(), name.size());
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  });
  named.set_value();  // the name is given from outside, when the thread runs already
  thread.join();
  EXPECT_STREQ(name.c_str(), "esdb-test");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE, SIGALRM})
    EXPECT_EQ(sigismember(&blocked, signal), 1) << signal;
}

// The slice of the calling thread; 0: it has none of its own, or the kernel does not tell.
std::uint64_t slice_ns() {
  std::array<std::uint64_t, 6> attributes{};  // struct sched_attr; its fourth word is the slice
  if (::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof attributes, 0) != 0) return 0;
  return attributes[3];
}

TEST(Threads, WhoLetsOthersGoFirstHasALongSliceAndNobodyElse) {
  std::uint64_t before = 0, after = 0;
  std::thread([&] {
    before = slice_ns();
    let_others_go_first();
    after = slice_ns();
  }).join();
  if (after == 0) GTEST_SKIP() << "threads have no slices of their own before Linux 6.12";
  EXPECT_GT(after, before);
  EXPECT_EQ(slice_ns(), before);
}

TEST(Threads, TheCallersOwnMaskStaysAsItWas) {
  sigset_t with_usr2, before, after;
  sigemptyset(&with_usr2);
  sigaddset(&with_usr2, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &with_usr2, nullptr);
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  quiet_thread("esdb-test", [] {}).join();
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  pthread_sigmask(SIG_UNBLOCK, &with_usr2, nullptr);
  for (int signal = 1; signal < 32; ++signal)
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
}

// A fault is raised on the thread that makes it: blocked, the kernel kills the process without
// asking the program's handler, which may only want to say where.
TEST(Threads, FaultsAreNotBlocked) {
  sigset_t blocked;
  quiet_thread("esdb-test", [&] { pthread_sigmask(SIG_SETMASK, nullptr, &blocked); }).join();
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS})
    EXPECT_EQ(sigismember(&blocked, signal), 0) << signal;
}

// A file that may not grow is an error, and no death; a signal of the program's own stays its own.
TEST(Threads, AFileThatMayNotGrowRaisesNoSignal) {
  const fixtures::ScratchDirectory scratch;
  const int fd = ::open(scratch.path("file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  auto small = before;
  small.rlim_cur = 4096;
  ::setrlimit(RLIMIT_FSIZE, &small);
  int number = 0;
  {
    const WithoutFileSizeSignal quiet;
    number = ::fallocate(fd, 0, 0, 1 << 20) == 0 ? 0 : errno;
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::close(fd);
  EXPECT_EQ(number, EFBIG);
  sigset_t pending, blocked;
  sigpending(&pending);
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&pending, SIGXFSZ), 0);
  EXPECT_EQ(sigismember(&blocked, SIGXFSZ), 0);
}

}  // namespace
}  // namespace esdb::storage
