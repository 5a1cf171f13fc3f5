// Reading with patience: a cursor that goes on after what passes by itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>

#include "esdb/event_store.h"
#include "tools/command.h"

namespace esdb::tools {

// Threads: one.
class Reading {
 public:
  enum class Patience : std::uint8_t {
    kTimeout,   // a read: gives up when nothing came for --timeout
    kForever,   // following: waits for events, and for a server that is away
    kToTheEnd,  // a subscription that ends when it has caught up: waits for no event
  };

  Reading(Cursor cursor, const Invocation& invocation, Patience patience)
      : cursor_(std::move(cursor)), invocation_(invocation), patience_(patience) {}

  // The next batch, which is empty where nothing came for a while. kCancelled: the user stopped it.
  Result<Batch> next();

 private:
  bool may_go_on(const Error& error);

  Cursor cursor_;
  const Invocation& invocation_;
  Patience patience_;
  std::chrono::steady_clock::time_point last_success_ = std::chrono::steady_clock::now();
  std::chrono::milliseconds pause_{};
};

// Every event of a read, batch by batch; what `handle` answers ends it.
Result<void> for_each_batch(Cursor cursor, const Invocation& invocation,
                            const std::function<Result<void>(const Batch&)>& handle);

bool is_interruption(const Error& error, const Invocation& invocation);

}  // namespace esdb::tools
