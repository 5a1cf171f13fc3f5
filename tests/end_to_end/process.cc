#include "tests/end_to_end/process.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <thread>

namespace esdb::end_to_end {
namespace {

constexpr std::array<std::string_view, 3> kHidden = {
    "ESDB_URL=", "XDG_RUNTIME_DIR=", "NOTIFY_SOCKET="};

std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> variables;
  for (char** at = environ; *at != nullptr; ++at) {
    bool hidden = false;
    for (const auto name : kHidden) hidden = hidden || std::string_view(*at).starts_with(name);
    if (!hidden) variables.emplace_back(*at);
  }
  for (const auto& [name, value] : command.environment) variables.push_back(name + "=" + value);
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::string contents_of(int fd) {
  struct stat found {};
  if (fd < 0 || ::fstat(fd, &found) != 0) return {};
  std::string text(static_cast<std::size_t>(found.st_size), '\0');
  const auto read = ::pread(fd, text.data(), text.size(), 0);
  text.resize(read < 0 ? 0 : static_cast<std::size_t>(read));
  return text;
}

void close_if_open(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

struct Streams {
  int in, out, err;
};

// In the child, between fork and exec: only what is safe there.
[[noreturn]] void become(char* const* words, char* const* environment, const Streams& streams,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  ::dup2(streams.in, STDIN_FILENO);
  ::dup2(streams.out, STDOUT_FILENO);
  ::dup2(streams.err, STDERR_FILENO);
  ::execve(words[0], words, environment);
  ::_exit(127);
}

}  // namespace

std::string to_string(const Ended& ended) {
  return ended.signal != 0 ? "signal " + std::to_string(ended.signal)
                           : "exit code " + std::to_string(ended.code);
}

Process::Process(const Command& command) {
  auto words = command.words;
  auto variables = environment_of(command);
  const auto word_pointers = pointers_to(words);
  const auto variable_pointers = pointers_to(variables);

  // A socket, because writing to one whose reader is gone can be an error instead of a signal.
  std::array<int, 2> input{-1, -1}, output{-1, -1};
  if (command.fed) {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input.data()) != 0)
      throw std::runtime_error("no socket pair");
  } else {
    input[1] = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  if (command.piped) {
    if (::pipe2(output.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  } else {
    kept_output_ = ::memfd_create("stdout", MFD_CLOEXEC);
  }
  kept_error_ = ::memfd_create("stderr", MFD_CLOEXEC);

  const Streams streams{
      .in = input[1], .out = command.piped ? output[1] : kept_output_, .err = kept_error_};
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(word_pointers.data(), variable_pointers.data(), streams, parent);
  if (pid_ < 0) throw std::runtime_error("fork failed");
  pid_fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  input_ = input[0];
  output_ = output[0];
  close_if_open(input[1]);
  close_if_open(output[1]);
}

Process::~Process() {
  kill();
  for (int* fd : {&pid_fd_, &input_, &output_, &kept_output_, &kept_error_}) close_if_open(*fd);
}

bool Process::running() { return !wait(std::chrono::milliseconds{0}); }

void Process::signal(int number) {
  if (!ended_) ::kill(pid_, number);
}

Ended Process::kill() {
  signal(SIGKILL);
  return wait().value_or(Ended{});
}

std::optional<Ended> Process::wait(std::chrono::milliseconds patience) {
  if (ended_) return ended_;
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    pollfd waited{.fd = pid_fd_, .events = POLLIN, .revents = 0};
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const int ready = ::poll(&waited, 1, std::max(0, static_cast<int>(left.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    break;
  }
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  ended_ =
      WIFSIGNALED(status) ? Ended{.signal = WTERMSIG(status)} : Ended{.code = WEXITSTATUS(status)};
  return ended_;
}

bool Process::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(input_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Process::wait_until_read() {
  for (int unread = 1; unread != 0 && running();) {
    if (::ioctl(input_, SIOCOUTQ, &unread) != 0) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return running();
}

void Process::end_of_input() { close_if_open(input_); }

std::string Process::out() const { return contents_of(kept_output_); }
std::string Process::err() const { return contents_of(kept_error_); }

Outcome run(const Command& command) {
  Process process(command);
  auto ended = process.wait();
  if (!ended) ended = process.kill();
  return {.ended = *ended, .out = process.out(), .err = process.err()};
}

Command esctl(std::vector<std::string> words) {
  words.insert(words.begin(), ESDB_ESCTL);
  return {.words = std::move(words)};
}

Outcome run_esctl(std::vector<std::string> words) { return run(esctl(std::move(words))); }

}  // namespace esdb::end_to_end
