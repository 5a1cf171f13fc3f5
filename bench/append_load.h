// A load of appends: so many callers, each with one append in flight, on one connection or several.
//
// A caller's next append is made where the answer to its last one arrives, as a program does that
// works by completions; one caller alone blocks. Every answer is looked at: one that is not what
// the load expects ends it with that error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bench/amount.h"
#include "bench/authors.h"
#include "bench/latencies.h"
#include "esdb/event_store.h"

namespace esdb::bench {

enum class Condition : std::uint8_t {
  kNone,
  kVersion,    // each caller has a stream of its own, and says its version
  kUnchanged,  // every other caller: nothing with its tag since its last answer, while others write
               // that tag, too. A conflict is answered as an application would: it reads on, and
               // appends again
  kHead,       // nothing with one of `checked_tags` at random since its last answer; nobody writes
               // them
};

struct AppendLoad {
  Shape shape{};
  Condition condition = Condition::kNone;
  std::size_t in_flight = 1;       // callers on each connection
  Amount amount{};                 // of appends
  std::uint64_t checked_tags = 1;  // kHead
  std::uint64_t seed = kSeed;
};

struct Appends {
  std::uint64_t appends = 0, events = 0, conflicts = 0;
  std::uint64_t refused = 0;  // sent again, because the store had no room for it just then
  double taken = 0;           // seconds
  Position last{};            // of all that was written
  Latencies latencies{};      // of one caller alone without encoding, else with it
  double appends_per_second() const { return static_cast<double>(appends) / taken; }
  double events_per_second() const { return static_cast<double>(events) / taken; }
};

using Connections = std::span<const std::unique_ptr<EventStore>>;

Result<Appends> run(Connections connections, const AppendLoad& load);
Result<Appends> run(EventStore& store, const AppendLoad& load);

// What one append of that shape is, encoded.
std::size_t encoded_bytes(const Shape& shape);

}  // namespace esdb::bench
