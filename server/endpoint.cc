#include "server/endpoint.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

namespace esdb::server {
namespace {

constexpr int kBacklog = 128;
constexpr mode_t kOnlyOwner = 0177;

std::unexpected<Error> refused(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kRefused, .message = std::move(message)});
}
std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)});
}
std::string reason(int error) { return std::generic_category().message(error); }

// Closes what is not handed on.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// Whether a file in the way may be removed: a socket at which nobody listens.
Result<void> clear_the_way(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return refused("unix:" + path + ": " + reason(errno));
  }
  if (!S_ISSOCK(found.st_mode))
    return refused(
        "unix:" + path +
        ": a file that is no socket lies there; it is left alone. Choose another path or "
        "remove it");
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto address = unix_address(path);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
      errno == EAGAIN)
    return refused("unix:" + path +
                   ": another process listens there; stop it or choose another "
                   "path");
  if (errno != ECONNREFUSED)
    return refused("unix:" + path + ": a socket is there that cannot be reached (" + reason(errno) +
                   "); remove it if nobody uses it");
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return refused("unix:" + path + ": the left-over socket cannot be removed: " + reason(errno));
  return {};
}

Result<int> bind_unix(const std::string& path) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return refused("unix:" + path + ": " + reason(errno));
  const auto address = unix_address(path);
  const mode_t before = ::umask(kOnlyOwner);
  const int bound =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  ::umask(before);
  if (bound != 0)
    return refused("unix:" + path + ": " + reason(error) +
                   (error == ENOENT ? " (its directory does not exist)" : ""));
  if (::listen(socket.get(), kBacklog) != 0) {
    const int why = errno;
    ::unlink(path.c_str());
    return refused("unix:" + path + ": " + reason(why));
  }
  return socket.release();
}

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
  }
  if (address->sa_family != AF_INET6) return false;
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

Result<int> bind_tcp(const std::string& name, const addrinfo& at) {
  Descriptor socket(::socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return refused(name + ": " + reason(errno));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (at.ai_family == AF_INET6)
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (::bind(socket.get(), at.ai_addr, at.ai_addrlen) != 0 || ::listen(socket.get(), kBacklog) != 0)
    return refused(name + ": " + reason(errno) +
                   (errno == EADDRINUSE ? "; another process listens there" : ""));
  return socket.release();
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

std::string name_of(const Endpoint& endpoint) {
  return "tcp:" + endpoint.host + ":" + std::to_string(endpoint.port);
}

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

Result<Addresses> loopback_addresses(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(),
                                      &hints, &found);
      error != 0)
    return invalid(name_of(endpoint) + ": " + ::gai_strerror(error));
  Addresses addresses(found, ::freeaddrinfo);
  for (const auto* at = found; at != nullptr; at = at->ai_next)
    if (!is_loopback(at->ai_addr))
      return invalid(name_of(endpoint) +
                     ": only loopback addresses (127.0.0.1, ::1) are served, because this version "
                     "has neither authentication nor TLS; reach it from elsewhere by a tunnel");
  return addresses;
}

}  // namespace

std::string Endpoint::url() const {
  if (kind == Kind::kUnix) return "unix:" + path;
  const bool bracketed = host.find(':') != std::string::npos;
  return "esdb://" + (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto shown = "\"" + std::string(text.substr(0, 200)) + "\": ";
  if (text.find('\0') != std::string_view::npos) return invalid("an endpoint holds no NUL byte");
  if (text.starts_with("unix:")) {
    const std::string path(text.substr(5));
    if (path.empty()) return invalid(shown + "the path is missing: unix:PATH");
    if (path.size() >= sizeof(sockaddr_un::sun_path))
      return invalid(shown + "a Unix socket's path has at most " +
                     std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
    return Endpoint{.kind = Endpoint::Kind::kUnix, .path = path};
  }
  const auto colon = text.rfind(':');
  if (!text.starts_with("tcp:") || colon <= 4 || colon == std::string_view::npos)
    return invalid(shown + "an endpoint is unix:PATH or tcp:HOST:PORT, as tcp:127.0.0.1:3732");
  auto host = text.substr(4, colon - 4);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || host.empty())
    return invalid(shown + "a port is a number from 0 to 65535, as tcp:127.0.0.1:3732");
  return Endpoint{.kind = Endpoint::Kind::kTcp, .host = std::string(host), .port = port};
}

Result<void> check_reach(const Endpoint& endpoint) {
  if (endpoint.kind == Endpoint::Kind::kUnix) return {};
  const auto addresses = loopback_addresses(endpoint);
  if (!addresses) return std::unexpected(addresses.error());
  return {};
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      endpoint_(std::move(other.endpoint_)),
      device_(other.device_),
      inode_(other.inode_) {}

ListeningSocket::~ListeningSocket() {
  if (fd_ < 0) return;
  struct stat found {};
  if (endpoint_.kind == Endpoint::Kind::kUnix && ::lstat(endpoint_.path.c_str(), &found) == 0 &&
      found.st_dev == device_ && found.st_ino == inode_)
    ::unlink(endpoint_.path.c_str());
  ::close(fd_);
}

Result<std::vector<ListeningSocket>> listen_at(const Endpoint& endpoint) {
  std::vector<ListeningSocket> sockets;
  if (endpoint.kind == Endpoint::Kind::kUnix) {
    if (auto clear = clear_the_way(endpoint.path); !clear) return std::unexpected(clear.error());
    auto fd = bind_unix(endpoint.path);
    if (!fd) return std::unexpected(fd.error());
    ListeningSocket socket(*fd, endpoint);
    struct stat made {};
    if (::lstat(endpoint.path.c_str(), &made) == 0)
      socket.device_ = made.st_dev, socket.inode_ = made.st_ino;
    sockets.push_back(std::move(socket));
    return sockets;
  }
  const auto addresses = loopback_addresses(endpoint);
  if (!addresses) return std::unexpected(addresses.error());
  for (const auto* at = addresses->get(); at != nullptr; at = at->ai_next) {
    auto fd = bind_tcp(name_of(endpoint), *at);
    if (!fd) return std::unexpected(fd.error());
    auto taken = endpoint;
    taken.port = port_of(*fd);
    sockets.push_back(ListeningSocket(*fd, std::move(taken)));
  }
  return sockets;
}

}  // namespace esdb::server
