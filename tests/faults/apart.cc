#include "tests/faults/apart.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::faults {

EndedApart run_apart(const std::string& said_path, unsigned seconds,
                     const std::function<void()>& body) {
  const auto child = ::fork();
  if (child < 0) return {.how = "there is no process for it"};
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    std::signal(SIGALRM, SIG_DFL);
    ::alarm(seconds);
    const int said = ::open(said_path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(said, 2);
    ::close(said);
    body();
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  EndedApart ended;
  ended.at_its_end = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  ended.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  const auto said = fixtures::read_file(said_path);
  const auto is_said = [&](const char* words) { return said.find(words) != said.npos; };
  // Where memory is taken, a check says that there is none.
  ended.by_a_check =
      is_said("internal error at") && !is_said("mapped_memory.h") && !is_said("aligned_bytes.h");
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    ended.how = "it hangs: " + said;
  else
    ended.how = "it ended with status " + std::to_string(status) + ": " + said;
  return ended;
}

}  // namespace esdb::faults
