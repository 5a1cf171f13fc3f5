// Connection: one peer, from accepted to gone: its stream, its RPC, its timers.
//
// Threads: that of the event loop.
#pragma once

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include <memory>
#include <string>

#include "protocol/message_stream.h"
#include "server/admission.h"
#include "server/context.h"

namespace esdb::server {

class Connection {
 public:
  // `peer` in words for the log. With a refusal in its entry it is told that, and closed.
  Connection(std::shared_ptr<Context> context, std::uint64_t number, std::string peer,
             Admission::Entry entry, kj::Own<kj::AsyncIoStream> socket);
  ~Connection() noexcept(false);
  KJ_DISALLOW_COPY(Connection);

  // Done when the peer has left or was given up.
  kj::Promise<void> run();

  // Nothing is owed to the peer but answers of next() that wait for something new.
  bool is_quiet() const;
  bool authenticated() const { return allowance_->authenticated; }

 private:
  void authenticated_now();
  void tell_the_end() const;

  std::shared_ptr<Context> context_;
  std::string peer_;
  std::unique_ptr<Admission::Place> place_;
  std::shared_ptr<Allowance> allowance_;
  protocol::MessageStream stream_;
  capnp::TwoPartyVatNetwork network_;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpc_;
  bool late_ = false;  // it never said hello
  kj::Promise<void> hello_timer_;
};

}  // namespace esdb::server
