// Writing one generation into the index: entries, meta row and mark in one transaction.
//
// Threads: one at a time.
// Errors:  kUnavailable where what is there contradicts what is to be added: damage.
#pragma once

#include <cstdint>

#include "esdb/error.h"
#include "storage/generation.h"
#include "storage/index_environment.h"
#include "storage/index_health.h"
#include "storage/index_rows.h"

namespace esdb::storage {

// Brings `meta` up to the generation's end and puts it, too. The caller commits.
Result<void> write_generation(Transaction& transaction, const Generation& generation, MetaRow& meta,
                              std::uint64_t seed, IndexHealth& health);

// How many pages the trees have now, in what was committed last.
LmdbResult<IndexPages> pages_of(const Environment& environment);

}  // namespace esdb::storage
