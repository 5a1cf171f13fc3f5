#include "bench/socket_limits.h"

#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "bench/failure.h"
#include "bench/loopback.h"

namespace esdb::bench {
namespace {

constexpr std::size_t kMessageBytes = 256;
using Message = std::array<char, kMessageBytes>;

bool read_all(int fd, Message& message) {
  for (std::size_t got = 0; got < message.size();) {
    const auto some = ::read(fd, message.data() + got, message.size() - got);
    if (some <= 0) return false;
    got += static_cast<std::size_t>(some);
  }
  return true;
}
bool write_all(int fd, const Message& message) {
  return ::send(fd, message.data(), message.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(message.size());
}

using Ends = std::array<int, 2>;

Ends unix_ends() {
  Ends ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
  return ends;
}

Ends tcp_ends() {
  const auto listener = bind_to_loopback();
  const int near = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto* address = reinterpret_cast<const sockaddr*>(&listener.address);
  if (near < 0 || ::listen(listener.fd, 1) != 0 ||
      ::connect(near, address, sizeof listener.address) != 0)
    fail("echo over TCP");
  const int far = ::accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
  if (far < 0) fail("accept");
  ::close(listener.fd);
  const int on = 1;
  for (const int end : {near, far}) ::setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return {near, far};
}

// The other process: answers until its peer is gone. After fork() it makes system calls only.
[[noreturn]] void answer(const Ends& ends) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::close(ends[0]);
  Message message;
  while (read_all(ends[1], message) && write_all(ends[1], message)) {
  }
  ::_exit(0);
}

}  // namespace

Latencies echoes(Transport transport, Placement placement, Clock::duration time) {
  const Pinned pinned(placement);
  const auto ends = transport == Transport::kUnix ? unix_ends() : tcp_ends();
  const pid_t other = ::fork();
  if (other < 0) fail("fork");
  if (other == 0) answer(ends);
  ::close(ends[1]);
  Latencies latencies;
  Message message{};
  bool answered = true;
  const auto end = Clock::now() + time;
  do {
    const auto begin = Clock::now();
    answered = write_all(ends[0], message) && read_all(ends[0], message);
    latencies.add(Clock::now() - begin);
  } while (answered && Clock::now() < end);
  ::close(ends[0]);
  ::waitpid(other, nullptr, 0);
  if (!answered) throw MeasurementFailed("echo: the other process went away");
  return latencies;
}

}  // namespace esdb::bench
