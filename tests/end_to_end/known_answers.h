// The full history: where it lies, and what is known of it. It is larger than the repository, and
// lies beside it where it was put; tests that need it are skipped elsewhere.
#pragma once

#include <string>

#include "esdb/event_store.h"

namespace esdb::end_to_end {

// Beside the checkout.
inline const std::string kHistory = ESDB_ROOT "/../shared/data/duckdb-history.ndjson.zst";
bool history_is_there();

inline constexpr std::uint64_t kHistoryEvents = 307'008;
inline constexpr std::uint64_t kHistoryStreams = 28'626;
inline constexpr std::uint64_t kHistoryCorrelations = 61'700;

// Asks a store that holds the history, imported by correlationId, everything that is known of it.
void expect_known_answers(EventStore& store);
// The same of what esctl tells.
void expect_known_answers_of_esctl(const std::string& store);

}  // namespace esdb::end_to_end
