#include "bench/process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "esdb/event_store.h"

namespace esdb::bench {

Process::Process(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  if (::posix_spawn(&pid_, argv.front(), nullptr, nullptr, argv.data(), environ) != 0) {
    std::perror(argv.front());
    std::exit(1);
  }
}

Process::~Process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  wait();
}

int Process::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Process::wait_for_success(const char* what) {
  const int code = wait();
  if (code == 0) return;
  std::fprintf(stderr, "%s ended with %d\n", what, code);
  std::exit(1);
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

std::vector<std::string> server_arguments(const std::string& directory, const std::string& socket,
                                          const std::vector<std::string>& more) {
  std::vector<std::string> arguments{ESDB_SERVER_PROGRAM, "--data",      directory, "--listen",
                                     "unix:" + socket,    "--log-level", "warning"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

ServerProcess::ServerProcess(const std::string& directory, const std::string& socket,
                             const std::vector<std::string>& more)
    : process_(server_arguments(directory, socket, more)) {
  for (int tries = 0; tries < 200; ++tries) {
    auto store = open("unix:" + socket, {.timeout = std::chrono::milliseconds(500)});
    if (store && (*store)->statistics()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  std::fprintf(stderr, "esdb-server did not come up on %s\n", socket.c_str());
  std::exit(1);
}

}  // namespace esdb::bench
