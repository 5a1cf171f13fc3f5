#include "bench/site.h"

#include <unistd.h>

#include "bench/loopback.h"

namespace esdb::bench {
namespace {

// One that nobody listens on just now.
int free_port() {
  const auto bound = bind_to_loopback();
  ::close(bound.fd);
  return ntohs(bound.address.sin_port);
}

}  // namespace

std::string to_string(const Where& where) {
  return where.transport ? std::string(to_string(*where.transport)) : "embedded";
}

Site::Site(const Where& where, std::size_t connections, const std::string& directory,
           const std::vector<std::string>& server_arguments)
    : pinned_(where.placement) {
  const auto data = directory.empty() ? scratch_.path("store") : directory;
  if (where.is_embedded()) {
    url_ = data;
  } else {
    std::string listen = "unix:" + scratch_.path("socket");
    url_ = listen;
    if (*where.transport == Transport::kTcp) {
      const auto address = "127.0.0.1:" + std::to_string(free_port());
      listen = "tcp:" + address;
      url_ = "esdb://" + address;
    }
    server_ = std::make_unique<ServerProcess>(data, listen, url_, server_arguments);
  }
  for (std::size_t i = 0; i < connections; ++i) stores_.push_back(open(url_).value());
}

EventStore& Site::another() {
  if (server_) stores_.push_back(open(url_).value());
  return *stores_.back();
}

std::vector<pid_t> Site::pids() const {
  return server_ ? std::vector<pid_t>{server_->pid()} : std::vector<pid_t>{};
}

}  // namespace esdb::bench
