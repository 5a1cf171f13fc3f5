// Server: a store offered at its endpoints.
//
// Threads: that of the event loop. The store is driven by it.
#pragma once

#include <kj/async-io.h>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/acceptor.h"
#include "server/admission.h"
#include "server/connection.h"
#include "server/context.h"
#include "server/endpoint.h"
#include "server/options.h"

namespace esdb::server {

// What remains of a connection that ended badly: its own statement is in the log already.
class TellErrors final : public kj::TaskSet::ErrorHandler {
 public:
  explicit TellErrors(Log log) : log_(std::move(log)) {}
  void taskFailed(kj::Exception&& error) override;

 private:
  Log log_;
};

class Server {
 public:
  // Loop, store and options' log outlive the server. The store was opened with Drive::kCaller, or
  // drives itself.
  Server(kj::AsyncIoContext& loop, EventStore& store, Options options);
  ~Server() noexcept(false);
  KJ_DISALLOW_COPY(Server);

  // What a client gives to open(), one for each socket.
  Result<std::vector<std::string>> listen(const Endpoint& endpoint);

  // Takes no connection and no append any more, and is done when those taken up are answered, or
  // when Options::stop_time has passed. The connections are then closed. The store is not.
  kj::Promise<void> stop();

  // Also those that are being refused.
  std::size_t connections() const { return connections_.size(); }
  // For protocol/wakeful_loop.h.
  const std::uint64_t& arrivals() const { return driver_.arrivals(); }

 private:
  void take(Accepted accepted);
  kj::Promise<void> quiet();
  void cut_connections();

  kj::AsyncIoContext& loop_;
  Driver driver_;
  Looking looking_;
  std::shared_ptr<Context> context_;
  Admission admission_;
  std::list<Connection> connections_;
  std::uint64_t last_number_ = 0;
  std::list<Acceptor> acceptors_;
  TellErrors on_error_;
  std::optional<kj::TaskSet> tasks_;
};

}  // namespace esdb::server
