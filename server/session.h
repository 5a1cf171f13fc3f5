// Session: what a connection is offered: the bootstrap to a stranger, the session to who said hello
// and who it is.
//
// Threads: that of the event loop.
#pragma once

#include "protocol/esdb.capnp.h"
#include "server/context.h"

namespace esdb::server {

protocol::Bootstrap::Client make_bootstrap(Caller caller);

}  // namespace esdb::server
