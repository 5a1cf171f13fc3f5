// Context: what every connection of a server shares.
//
// Threads: that of the event loop, but for what appends_in_flight guards.
#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include <cstdint>
#include <memory>
#include <string>

#include "esdb/event_store.h"
#include "server/driver.h"
#include "server/looking.h"
#include "server/options.h"

namespace esdb::server {

// Counted where the store's completions can still reach it when the server is gone.
struct InFlight {
  std::uint64_t appends = 0;
  std::uint64_t batches = 0;
};

struct Context {
  EventStore& store;
  Driver& driver;
  Looking& looking;
  kj::Timer& timer;
  const Options& options;
  std::string store_id{};
  std::string epoch_id{};
  bool epoch_asked = false;  // after the first append: it may have begun an epoch
  bool stopping = false;     // no further appends are taken up
  std::shared_ptr<InFlight> in_flight = std::make_shared<InFlight>();

  void log(LogLevel level, std::string_view line) const { options.log(level, line); }
};

// One connection's share of the limits.
struct Allowance {
  std::uint64_t connection = 0;  // its number: the session of its appends
  std::uint32_t calls = 0;
  std::uint32_t cursors = 0;
  std::uint32_t batches = 0;  // being made
  bool authenticated = false;
};

// What goes wrong inside a handler is the server's to know: the peer learns that it happened.
kj::Promise<void> shield(const Context& context, const Allowance& allowance,
                         kj::Promise<void> answering);

}  // namespace esdb::server
