#include "tests/server/raw_peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

namespace esdb::tests {

RawPeer::RawPeer(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    ::close(std::exchange(fd_, -1));
}

RawPeer::~RawPeer() {
  if (fd_ >= 0) ::close(fd_);
}

RawPeer::RawPeer(RawPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void RawPeer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the server has closed: what the test then asks for
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void RawPeer::send_words(const std::vector<std::uint32_t>& words) {
  send({reinterpret_cast<const char*>(words.data()), words.size() * sizeof(words[0])});
}

bool RawPeer::is_closed_within(std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  std::array<char, 4096> dropped;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(left.count())) <= 0) return false;
    if (::recv(fd_, dropped.data(), dropped.size(), 0) <= 0) return true;
  }
}

}  // namespace esdb::tests
