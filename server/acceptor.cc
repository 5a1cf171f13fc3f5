#include "server/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace esdb::server {
namespace {

constexpr int kSocketBufferBytes = 2 << 20;
constexpr int kAcceptedInATurn = 64;
constexpr std::chrono::milliseconds kPauseFirst{20}, kPauseLast{1000};

kj::AutoCloseFd reserve_descriptor() {
  return kj::AutoCloseFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

// Whoever may open the socket's file may use the store; a socket that was opened up by hand still
// serves only its owner and root.
bool may_use(int fd, std::string& peer) {
  ucred who{};
  socklen_t length = sizeof(who);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return false;
  peer = "pid " + std::to_string(who.pid) + ", uid " + std::to_string(who.uid);
  return who.uid == ::geteuid() || who.uid == 0;
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
  return kj::evalLater([this]() { return accept_some(); });
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
  std::string peer = "loopback";
  if (endpoint().kind == Endpoint::Kind::kUnix) {
    if (!may_use(fd, peer)) {
      log_(LogLevel::kWarning, endpoint().url() + ": refused " + peer + ": not the server's user");
      return;
    }
  } else {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  }
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof(kSocketBufferBytes));
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBufferBytes, sizeof(kSocketBufferBytes));
  take_({.socket = kj::mv(owned), .peer = std::move(peer)});
}

}  // namespace esdb::server
