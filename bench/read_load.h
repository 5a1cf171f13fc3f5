// Loads of reads: everything once, or many small reads, each of a query that is chosen at random.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>

#include "bench/amount.h"
#include "bench/authors.h"
#include "bench/latencies.h"
#include "esdb/event_store.h"

namespace esdb::bench {

struct Reads {
  std::uint64_t reads = 0, events = 0, bytes = 0;  // bytes of the events, as encoded
  double taken = 0;                                // seconds
  Latencies latencies{};                           // of whole reads
  double reads_per_second() const { return static_cast<double>(reads) / taken; }
  double events_per_second() const { return static_cast<double>(events) / taken; }
};

// Everything, by one reader that looks at each event's data. `query`, `options`: less than
// everything.
Result<Reads> read_everything(EventStore& store, const Query& query = everything(),
                              const ReadOptions& options = {}, const CallOptions& call = {});

struct ReadLoad {
  std::function<Query(std::mt19937_64&)> query;
  std::size_t readers = 1;    // threads that block, on one store all
  std::size_t in_flight = 0;  // not 0: so many reads at once by completions instead
  std::uint64_t least = 1;    // events of a read: fewer end the load with an error
  Amount amount{};            // of reads
  std::uint64_t seed = kSeed;
};

Result<Reads> run(EventStore& store, const ReadLoad& load);

}  // namespace esdb::bench
