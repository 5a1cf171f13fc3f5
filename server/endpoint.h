// Endpoint: where a server listens, and the listening socket itself.
//
// Threads: functions and a value; one thread at a time. listen_at() changes the process's umask for
// a moment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/error.h"

namespace esdb::server {

// unix:PATH or tcp:HOST:PORT.
struct Endpoint {
  enum class Kind : std::uint8_t { kUnix, kTcp };
  Kind kind = Kind::kUnix;
  std::string path{};  // kUnix
  std::string host{};  // kTcp
  std::uint16_t port = 0;

  std::string url() const;  // what a client gives to open(): unix:PATH, esdb://HOST:PORT
};
Result<Endpoint> parse_endpoint(std::string_view text);

// kInvalidArgument where the endpoint would be reachable from elsewhere, or its host has no
// address.
Result<void> check_reach(const Endpoint& endpoint);

// A socket that listens. Removes its Unix socket's file when it goes, if it is still its own.
class ListeningSocket {
 public:
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&& other) = delete;
  ~ListeningSocket();

  int fd() const { return fd_; }
  const Endpoint& endpoint() const { return endpoint_; }  // with the port that was taken

 private:
  friend Result<std::vector<ListeningSocket>> listen_at(const Endpoint& endpoint);
  ListeningSocket(int fd, Endpoint endpoint) : fd_(fd), endpoint_(std::move(endpoint)) {}

  int fd_ = -1;
  Endpoint endpoint_;
  std::uint64_t device_ = 0, inode_ = 0;  // of the Unix socket's file
};

// One socket for each address that the host's name stands for. Called while holding the store: a
// Unix socket's file that nobody listens at is then a left-over, and replaced.
// kRefused: the endpoint is taken, or what lies at its path is no socket; or as check_reach().
Result<std::vector<ListeningSocket>> listen_at(const Endpoint& endpoint);

}  // namespace esdb::server
