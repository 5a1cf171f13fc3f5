#include "tests/end_to_end/deaf_relay.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace esdb::end_to_end {
namespace {

constexpr int kLookUp = 20;  // milliseconds between looks at whether it is to end

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = address_of(path);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  ::close(fd);
  return -1;
}

bool is_readable(const pollfd& waited) { return (waited.revents & (POLLIN | POLLHUP)) != 0; }

}  // namespace

DeafRelay::DeafRelay(const std::string& at, const std::string& to, std::string word)
    : to_(to),
      word_(std::move(word)),
      listening_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const auto address = address_of(at);
  if (::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listening_, 8) != 0)
    throw std::runtime_error("no socket at " + at);
  thread_ = std::thread([this] { run(); });
}

DeafRelay::~DeafRelay() {
  ending_ = true;
  thread_.join();
  ::close(listening_);
}

void DeafRelay::run() {
  while (!ending_) {
    pollfd waited{.fd = listening_, .events = POLLIN, .revents = 0};
    if (::poll(&waited, 1, kLookUp) <= 0) continue;
    const int client = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = connect_to(to_);
    forward(client, server);
    ::close(client);
    ::close(server);
  }
}

void DeafRelay::forward(int client, int server) {
  std::array<char, 65536> bytes{};
  std::string sent;
  while (!ending_) {
    std::array<pollfd, 2> waited{pollfd{.fd = client, .events = POLLIN, .revents = 0},
                                 pollfd{.fd = server, .events = POLLIN, .revents = 0}};
    if (::poll(waited.data(), waited.size(), kLookUp) <= 0) continue;
    for (std::size_t from = 0; from < 2; ++from) {
      if (!is_readable(waited[from])) continue;
      const auto size = ::recv(waited[from].fd, bytes.data(), bytes.size(), 0);
      if (size <= 0) return;
      const auto count = static_cast<std::size_t>(size);
      if (from == 0) {
        sent.append(bytes.data(), count);
        if (sent.find(word_) != sent.npos) deaf_ = true;
      } else if (deaf_) {
        continue;
      }
      if (::send(waited[1 - from].fd, bytes.data(), count, MSG_NOSIGNAL) != size) return;
    }
  }
}

}  // namespace esdb::end_to_end
