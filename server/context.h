// Context: what every connection of a server shares.
//
// A call that was begun is carried out even when its connection is gone, so that what it needs is
// shared with it: context and allowance live as long as the last call.
//
// Threads: that of the event loop.
#pragma once

#include <kj/async.h>
#include <kj/timer.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
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
  Driver& driver;  // this, looking and timer: until `closed`
  Looking& looking;
  kj::Timer& timer;
  Options options;
  std::string store_id{};
  std::string epoch_id{};
  bool epoch_asked = false;  // after the first append: it may have begun an epoch
  bool stopping = false;     // no further appends are taken up
  bool closed = false;       // the server is gone
  std::shared_ptr<InFlight> in_flight = std::make_shared<InFlight>();

  void log(LogLevel level, std::string_view line) const { options.log(level, line); }
  // About a peer that does not behave: a few lines a minute, so that none of them fills the log.
  void complain(std::string_view line);

  kj::TimePoint complaining_since = timer.now();
  unsigned complaints = 0;  // since then
};

class CursorService;

// One connection's share of the limits, and what of it has to end with it.
struct Allowance {
  std::uint64_t connection = 0;  // its number: the session of its appends
  std::uint32_t calls = 0;
  std::uint32_t batches = 0;  // being made
  std::set<CursorService*> cursors{};
  bool authenticated = false;
  std::optional<Error> refusal{};  // what hello is answered with, and nothing further
  std::function<void()> on_authenticated{};
  bool gone = false;
  std::stop_source leaving{};  // when it is gone: of what waits on another thread

  // The connection is gone: waits end, callbacks are forgotten.
  void abandon();
};

// What a call keeps of its connection.
struct Caller {
  std::shared_ptr<Context> context;
  std::shared_ptr<Allowance> allowance;
};

// What goes wrong inside a handler is the server's to know: the peer learns that it happened.
kj::Promise<void> shield(Caller caller, kj::Promise<void> answering);

}  // namespace esdb::server
