// Remote store: the EventStore of a server.
//
// Threads: any, as EventStore says.
#pragma once

#include <memory>

#include "client/address.h"
#include "esdb/event_store.h"

namespace esdb::client {

// Connects before it returns, in one attempt of 5 seconds or OpenOptions::timeout, whichever is
// less: kUnavailable where nobody listens, this user may not connect or nobody answers in that
// time, kOverloaded where the server has too many connections, kUnsupported where something else
// answers or the server is of another version. Afterwards a server that goes away is waited for.
Result<std::unique_ptr<EventStore>> open_remote(Address address, const OpenOptions& options);

}  // namespace esdb::client
