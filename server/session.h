// Session: what a connection is offered: the bootstrap to a stranger, the session to who said hello
// and who it is.
//
// Threads: that of the event loop.
#pragma once

#include <functional>

#include "protocol/esdb.capnp.h"
#include "server/context.h"

namespace esdb::server {

// `authenticated` is called once, when the peer has said who it is. Context and allowance outlive
// every capability of the connection.
protocol::Bootstrap::Client make_bootstrap(Context& context, Allowance& allowance,
                                           std::function<void()> authenticated);

}  // namespace esdb::server
