#include "bench/process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

#include "bench/failure.h"
#include "esdb/event_store.h"

namespace esdb::bench {
namespace {

constexpr int kPatience = 6'000;  // tries of 10 ms

}  // namespace

Process::Process(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  errno = ::posix_spawn(&pid_, argv.front(), nullptr, nullptr, argv.data(), environ);
  if (errno != 0) fail(arguments.front());
}

Process::~Process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  for (int tries = 0; tries < kPatience; ++tries) {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::fprintf(stderr, "process %d does not end, and is killed\n", static_cast<int>(pid_));
  kill();
}

int Process::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Process::wait_for_success(const char* what) {
  const int code = wait();
  if (code != 0) throw MeasurementFailed(std::string(what) + " ended with " + std::to_string(code));
}

void Process::kill() {
  ::kill(pid_, SIGKILL);
  wait();
}

std::size_t Process::anonymous_bytes() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  std::string word;
  while (status >> word) {
    if (word != "RssAnon:") continue;
    std::size_t kib = 0;
    status >> kib;
    return kib * 1024;
  }
  return 0;
}

namespace {

std::vector<std::string> server_arguments(const std::string& directory, const std::string& listen,
                                          const std::vector<std::string>& more) {
  std::vector<std::string> arguments{ESDB_SERVER_PROGRAM, "--data", directory, "--listen", listen,
                                     "--log-level",       "warning"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

ServerProcess::ServerProcess(const std::string& directory, const std::string& listen,
                             const std::string& url, const std::vector<std::string>& more)
    : process_(server_arguments(directory, listen, more)) {
  for (int tries = 0; tries < 2000; ++tries) {
    auto store = open(url, {.timeout = std::chrono::milliseconds(500)});
    if (store && (*store)->statistics()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw MeasurementFailed("esdb-server did not come up on " + listen);
}

}  // namespace esdb::bench
