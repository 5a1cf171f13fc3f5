// A TCP socket at a port of this machine's own network: one that nobody had just before.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "bench/failure.h"

namespace esdb::bench {

struct LoopbackSocket {
  int fd = -1;  // whoever asked for it closes it
  sockaddr_in address{};
};

inline LoopbackSocket bind_to_loopback() {
  LoopbackSocket bound{.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  bound.address.sin_family = AF_INET;
  bound.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* raw = reinterpret_cast<sockaddr*>(&bound.address);
  socklen_t size = sizeof bound.address;
  if (bound.fd < 0 || ::bind(bound.fd, raw, size) != 0 || ::getsockname(bound.fd, raw, &size) != 0)
    fail("a free port");
  return bound;
}

}  // namespace esdb::bench
