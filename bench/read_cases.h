// Cases of reads, in this process or through a server.
#pragma once

#include <memory>

#include "bench/population.h"
#include "bench/site.h"
#include "bench/suite.h"

namespace esdb::bench {

// Everything, streams of 10 and 1,000 events, selective queries: out of a store that memory holds.
void add_reads(Suite& suite, const Where& where, const std::shared_ptr<Population>& population);
// Appends while others read.
void add_appends_beside_reads(Suite& suite, const Where& where,
                              const std::shared_ptr<Population>& population);

}  // namespace esdb::bench
