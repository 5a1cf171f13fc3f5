#include "tests/end_to_end/server_process.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

int bind_datagrams(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ::unlink(path.c_str());
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("no socket at " + path);
  return fd;
}

bool says_ready(int fd) {
  std::array<char, 512> text{};
  for (;;) {
    const auto size = ::recv(fd, text.data(), text.size(), 0);
    if (size <= 0) return false;
    if (std::string_view(text.data(), static_cast<std::size_t>(size)).contains("READY=1"))
      return true;
  }
}

}  // namespace

std::vector<std::string> small_server(const fixtures::ScratchDirectory& scratch) {
  return {"--memory", "48MiB", "--config",
          scratch.write("esdb.toml",
                        "segment_bytes = \"1MiB\"\nappend_bytes_max = \"256KiB\"\n"
                        "event_bytes_max = \"256KiB\"\n")};
}

ServerProcess::ServerProcess(const fixtures::ScratchDirectory& scratch, Serving serving)
    : scratch_(scratch),
      serving_(std::move(serving)),
      notified_(bind_datagrams(scratch.path("notify"))) {}

ServerProcess::~ServerProcess() { ::close(notified_); }

Command ServerProcess::command() const {
  Command command{.words = {ESDB_SERVER, "--data", data(), "--log-level", "debug"},
                  .environment = serving_.environment};
  if (serving_.listen.empty()) command.words.insert(command.words.end(), {"--listen", url()});
  for (const auto& endpoint : serving_.listen)
    command.words.insert(command.words.end(), {"--listen", endpoint});
  command.words.insert(command.words.end(), serving_.arguments.begin(), serving_.arguments.end());
  command.environment.emplace_back("NOTIFY_SOCKET", scratch_.path("notify"));
  return command;
}

bool ServerProcess::start() {
  says_ready(notified_);  // what an earlier one left
  process_ = std::make_unique<Process>(command());
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until) {
    pollfd waited{.fd = notified_, .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, 20) > 0 && says_ready(notified_)) return true;
    if (!process_->running()) return false;
  }
  return false;
}

Ended ServerProcess::kill() { return process_->kill(); }

Ended ServerProcess::stop() {
  process_->signal(SIGTERM);
  return process_->wait().value_or(Ended{});
}

std::optional<std::string> ServerProcess::tcp_url() const {
  const auto text = log();
  const auto begin = text.find("esdb://");
  if (begin == text.npos) return std::nullopt;
  return text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

}  // namespace esdb::end_to_end
