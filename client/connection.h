// Connection: one attempt to reach a server, and what came of it: a session, until it breaks.
//
// Threads: that of the event loop.
#pragma once

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include <optional>
#include <string>

#include "client/address.h"
#include "protocol/esdb.capnp.h"
#include "protocol/message_stream.h"

namespace esdb::client {

// What the server said of itself.
struct Welcome {
  std::string program{};
  std::string store_id{};
  std::uint64_t message_bytes = 0;
  std::uint32_t calls = 0;
};

class Connection {
 public:
  // Connects and introduces itself. kUnavailable where nobody listens or nobody answers in time;
  // kDenied where this user may not; kUnsupported where something else does, or a server of another
  // version.
  static kj::Promise<Result<kj::Own<Connection>>> open(kj::AsyncIoContext& loop,
                                                       const Address& address);

  Connection(kj::Own<kj::AsyncIoStream> socket, kj::Timer& timer, std::string url);
  KJ_DISALLOW_COPY(Connection);

  protocol::Session::Client& session() { return *session_; }
  const Welcome& welcome() const { return welcome_; }

  // Done when the connection is of no more use.
  kj::Promise<void> on_break() { return network_.onDisconnect(); }
  Error reason() const;  // why it broke
  void cut(std::string why);

 private:
  kj::Promise<Result<void>> greet();
  Result<void> read_answers(protocol::HelloResult::Reader hello,
                            protocol::AuthenticateResult::Reader answer);
  Error not_greeted(const kj::Exception& error) const;

  std::string url_;
  std::string cut_;  // why this side gave it up
  protocol::MessageStream stream_;
  capnp::TwoPartyVatNetwork network_;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc_;
  std::optional<protocol::Session::Client> session_;
  Welcome welcome_;
};

}  // namespace esdb::client
