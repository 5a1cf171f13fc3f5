// Acceptor: takes connections from a listening socket, and goes on doing so whatever happens.
//
// Out of descriptors it gives up one kept in reserve to take and close what waits, so that peers
// are told rather than left hanging, and tries again later.
//
// Threads: that of the event loop.
#pragma once

#include <kj/async-unix.h>
#include <kj/timer.h>

#include <functional>
#include <string>

#include "server/endpoint.h"
#include "server/options.h"

namespace esdb::server {

// A peer that was accepted: a non-blocking socket, and who it is in words: for the log, and where
// all connections of one user or one address are taken together.
struct Accepted {
  kj::AutoCloseFd socket;
  std::string peer;
  std::string owner;
};

class Acceptor {
 public:
  using Take = std::function<void(Accepted)>;

  // Port and timer outlive it.
  Acceptor(ListeningSocket socket, kj::UnixEventPort& port, kj::Timer& timer, Log log, Take take);
  KJ_DISALLOW_COPY(Acceptor);

  const Endpoint& endpoint() const { return socket_.endpoint(); }

 private:
  kj::Promise<void> accept_some();
  kj::Promise<void> pause(int error);
  void take_one(int fd);

  ListeningSocket socket_;
  kj::Timer& timer_;
  Log log_;
  Take take_;
  kj::AutoCloseFd reserve_;
  std::chrono::milliseconds pause_{};
  kj::UnixEventPort::FdObserver ready_;
  kj::Promise<void> accepting_;
};

}  // namespace esdb::server
