// Cases that depend on how much is in the store, at each of several sizes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/sized_store.h"
#include "bench/suite.h"

namespace esdb::bench {

// What a check cost beside an append without one, run by run, by millions of events: the machine's
// pace is another one minutes later.
using Costs = std::map<double, std::vector<double>>;

struct Size {
  double millions = 1;  // of events; what a case's name says, whatever the scale
  std::shared_ptr<SizedStore> store;
  std::string name() const;  // "10M"
};

// Bulk appends to one stream and to many, and what they take on the disk.
void add_filling(Suite& suite, const Size& size);
// Opening, recovery after a crash, rebuilding the index.
void add_opening(Suite& suite, const Size& size);
// Streams and queries at random: warm, and cold out of a store that memory does not hold.
void add_sized_reads(Suite& suite, const Size& size);
// Single appends: undisturbed, beside cold reads, while the index commits.
void add_sized_appends(Suite& suite, const Size& size);
// What a conditional check costs, and how that grows. `costs` is kept from size to size.
void add_checks(Suite& suite, const Size& size, Costs& costs);
// The anonymous memory of a server.
void add_memory(Suite& suite, const Size& size);

}  // namespace esdb::bench
