// Refusals: what every store refuses before it looks at its log, and the words in which it tells
// why an append does not hold, so that all stores refuse alike.
//
// Threads: functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/append.h"
#include "esdb/cursor.h"
#include "esdb/error.h"
#include "esdb/query.h"

namespace esdb::protocol {

// ---- form and limits

// At least one item; names of 1.. bytes of UTF-8 within limits.h. kInvalidArgument, kTooLarge.
Result<void> check_query(const esdb::Query& query);
// A name that is looked up, `$...` included.
Result<void> check_stream_name(std::string_view name);
Result<void> check_source_name(std::string_view name);
// The rows of one page: 1 or more; what is above kPageMax gives kPageMax.
Result<std::size_t> page_limit(std::size_t asked);
// What a store's options allow, in bytes of the events as encoded: checked by the store, because an
// author does not know them. kTooLarge.
Result<void> check_sizes(const EncodedAppend& append, std::size_t event_bytes_max,
                         std::size_t append_bytes_max);
// The query, and a start that fits query and direction.
Result<void> check_read(const esdb::Query& query, const ReadOptions& options);

// The stream that every item of the query names, alone; empty where there is no such stream. Only
// such a query has a version.
std::string_view one_stream_of(const esdb::Query& query);

// Whether an item names a stream or category of the system.
bool names_system_stream(const esdb::QueryItem& item);

// ---- an append that does not hold. Violations come in the order of the checks, then in that of
// the tracking positions.

Violation stream_violation(std::size_t check, const Check& violated, Version actual);
Violation query_violation(std::size_t check, const Check& violated, Position conflicting);
// Whether tracking grows from what is stored, and from `after` where it says so.
bool tracking_holds(const Tracking& asked, std::uint64_t stored);
Violation tracking_violation(const Tracking& asked, std::uint64_t stored);

// The one error of an append whose checks or tracking do not hold: kAlreadyTracked if any violation
// is of tracking, else kAlreadyExists if an absent() is violated, else kConflict. `violations` is
// not empty and `checks` are the append's.
Error not_appended(std::vector<Violation> violations, const std::vector<Check>& checks);

// kIdConflict: the id is in the log at `position`, but not as this append.
Error id_conflict(const EventId& id, Position position);

// kOtherStore, for a position (of a start, a bound, a check) beyond the end of the log; for a
// version beyond the end of a stream; for a checkpoint of another store or epoch.
Error beyond_the_log(std::string_view what, Position asked, Position durable);
Error beyond_the_stream(std::string_view stream, Version asked, Version found);
Error of_another_store(const Checkpoint& asked, std::string_view store_id);
Error of_another_epoch(const Checkpoint& asked, std::string_view epoch_id);

}  // namespace esdb::protocol
