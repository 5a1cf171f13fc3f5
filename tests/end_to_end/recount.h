// A store, read from its first event to its last, and all it says about itself held against that.
#pragma once

#include <string>

#include "esdb/event_store.h"
#include "tests/end_to_end/ledger.h"

namespace esdb::end_to_end {

// "" when positions and versions have no gap, every append is there whole and once, streams, types,
// categories, tags, counts, queries and statistics say what was counted, and every event of the
// ledger is there unchanged. Else what is wrong first. Of stores that a ledger_writer alone wrote.
std::string disagreement(EventStore& store, const Ledger& ledger);

}  // namespace esdb::end_to_end
