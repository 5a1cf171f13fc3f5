#include "server/acceptor.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace esdb::server {
namespace {

constexpr int kSocketBufferBytes = 2 << 20;
// Then these are heard: of many that come at once few are taken for silent ones.
constexpr int kAcceptedInATurn = 16;
constexpr std::chrono::milliseconds kPauseFirst{20}, kPauseLast{1000};

kj::AutoCloseFd reserve_descriptor() {
  return kj::AutoCloseFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

// Whoever may open the socket's file may use the store; a socket that was opened up by hand still
// serves only its owner and root.
bool may_use(int fd, std::string& peer, std::string& owner) {
  ucred who{};
  socklen_t length = sizeof(who);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return false;
  owner = "uid " + std::to_string(who.uid);
  peer = "pid " + std::to_string(who.pid) + ", " + owner;
  return who.uid == ::geteuid() || who.uid == 0;
}

// The host a TCP peer speaks from, without the port.
std::string host_of_peer(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  std::array<char, NI_MAXHOST> host{};
  auto* at = reinterpret_cast<sockaddr*>(&address);
  if (::getpeername(fd, at, &length) != 0 ||
      ::getnameinfo(at, length, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return "a TCP peer";
  return host.data();
}

}  // namespace

Acceptor::Acceptor(ListeningSocket socket, kj::UnixEventPort& port, kj::Timer& timer, Log log,
                   Take take)
    : socket_(std::move(socket)),
      timer_(timer),
      log_(std::move(log)),
      take_(std::move(take)),
      reserve_(reserve_descriptor()),
      ready_(port, socket_.fd(), kj::UnixEventPort::FdObserver::OBSERVE_READ),
      accepting_(accept_some().eagerlyEvaluate([this](kj::Exception&& error) {
        log_(LogLevel::kError, std::string("accepting ended: ") + error.getDescription().cStr());
      })) {}

kj::Promise<void> Acceptor::accept_some() {
  for (int i = 0; i < kAcceptedInATurn; ++i) {
    const int fd = ::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      pause_ = {};
      take_one(fd);
      continue;
    }
    switch (errno) {
      case EINTR:
      case ECONNABORTED:
        continue;
      case EAGAIN:
        return ready_.whenBecomesReadable().then([this]() { return accept_some(); });
      default:
        return pause(errno);
    }
  }
  return timer_.afterDelay(0 * kj::MILLISECONDS).then([this]() { return accept_some(); });
}

kj::Promise<void> Acceptor::pause(int error) {
  if (pause_.count() == 0)
    log_(LogLevel::kWarning, endpoint().url() + ": a connection cannot be accepted (" +
                                 std::generic_category().message(error) + "); going on");
  if ((error == EMFILE || error == ENFILE) && reserve_.get() >= 0) {
    reserve_ = nullptr;
    const int fd = ::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) ::close(fd);
    reserve_ = reserve_descriptor();
  }
  pause_ = std::clamp(pause_ * 2, kPauseFirst, kPauseLast);
  return timer_.afterDelay(pause_.count() * kj::MILLISECONDS).then([this]() {
    if (reserve_.get() < 0) reserve_ = reserve_descriptor();
    return accept_some();
  });
}

void Acceptor::take_one(int fd) {
  kj::AutoCloseFd owned(fd);
  std::string peer, owner;
  if (endpoint().kind == Endpoint::Kind::kUnix) {
    if (!may_use(fd, peer, owner)) {
      log_(LogLevel::kWarning, endpoint().url() + ": refused " + peer + ": not the server's user");
      return;
    }
  } else {
    peer = owner = host_of_peer(fd);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  }
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof(kSocketBufferBytes));
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBufferBytes, sizeof(kSocketBufferBytes));
  take_({.socket = kj::mv(owned), .peer = std::move(peer), .owner = std::move(owner)});
}

}  // namespace esdb::server
