// From append to delivery: one event at a time is appended, and a live subscriber, on a connection
// of its own, waits for it.
#pragma once

#include <cstdint>

#include "bench/amount.h"
#include "bench/authors.h"
#include "bench/latencies.h"
#include "esdb/event_store.h"

namespace esdb::bench {

struct DeliveryLoad {
  // Of its events, one an append: all in one stream, that no other load writes to.
  Shape shape{.first_stream = ~std::uint64_t{0}};
  Clock::duration pause = std::chrono::milliseconds(1);  // before each append: at rest
  Amount amount{};                                       // of appends
};

struct Deliveries {
  Latencies appends{};     // until the answer
  Latencies deliveries{};  // from the same call until the subscriber has the event
};

// Both may be the same store, where it is in this process.
Result<Deliveries> run(EventStore& author, EventStore& subscriber, const DeliveryLoad& load);

}  // namespace esdb::bench
