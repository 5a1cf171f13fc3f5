#include "tests/client/cutting_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <stdexcept>
#include <vector>

namespace esdb::tests {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

bool send_all(int to, const char* bytes, std::size_t size) {
  while (size != 0) {
    const auto sent = ::send(to, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

}  // namespace

// Two sockets and how many bytes may still pass between them.
struct CuttingProxy::Pair {
  int client = -1, server = -1;
  std::uint64_t left = 0;
  Pair(int c, int s, std::uint64_t bytes) : client(c), server(s), left(bytes) {}
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    ::close(client);
    ::close(server);
  }
};

CuttingProxy::CuttingProxy(const std::string& at, const std::string& to, Options options)
    : at_(at), to_(to), options_(options), random_(options.seed) {
  listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = address_of(at_);
  if (::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listening_, 16) != 0)
    throw std::runtime_error("the proxy cannot listen at " + at_);
  thread_ = std::thread([this]() { run(); });
}

CuttingProxy::~CuttingProxy() {
  ending_ = true;
  thread_.join();
  ::close(listening_);
}

void CuttingProxy::run() {
  std::list<Pair> pairs;
  std::array<char, 65536> buffer;
  while (!ending_) {
    std::vector<pollfd> polled{{listening_, POLLIN, 0}};
    for (const auto& pair : pairs) {
      polled.push_back({pair.client, POLLIN, 0});
      polled.push_back({pair.server, POLLIN, 0});
    }
    ::poll(polled.data(), polled.size(), 5);
    std::size_t index = 1;
    for (auto at = pairs.begin(); at != pairs.end(); index += 2) {
      bool alive = true;
      const auto forward = [&](const pollfd& ready, int from, int to) {
        if (!alive || (ready.revents & (POLLIN | POLLHUP | POLLERR)) == 0) return;
        const auto got = ::recv(from, buffer.data(), buffer.size(), 0);
        auto size = got > 0 ? static_cast<std::size_t>(got) : 0;
        const bool cut = cutting_ && size >= at->left;
        if (cut) size = at->left, ++cuts_;
        at->left -= cutting_ ? size : 0;
        alive = size != 0 && send_all(to, buffer.data(), size) && !cut;
      };
      forward(polled[index], at->client, at->server);
      forward(polled[index + 1], at->server, at->client);
      at = alive ? std::next(at) : pairs.erase(at);
    }
    if ((polled[0].revents & POLLIN) == 0) continue;
    const int client = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = address_of(to_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      pairs.emplace_back(client, server, 1 + random_() % options_.bytes_max);
    } else {
      ::close(client);
      ::close(server);
    }
  }
}

}  // namespace esdb::tests
