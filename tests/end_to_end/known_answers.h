// What is known of a history, asked of a store and of esctl. The full one is larger than the
// repository, and lies beside it where it was put; tests that need it are skipped elsewhere. The
// repository's sample is its beginning.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "esdb/event_store.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {

// Beside the checkout.
inline const std::string kHistory = ESDB_ROOT "/../shared/data/duckdb-history.ndjson.zst";
bool history_is_there();

using Counts = std::map<std::string, std::uint64_t>;

struct Answers {
  using Most = std::pair<std::uint64_t, std::string>;
  std::uint64_t events{}, streams{};
  std::uint64_t groups{};  // of one correlation id, each one append
  Counts types{};
  std::uint64_t paths_alive{};  // whose last event is no FileDeleted
  std::uint64_t streams_of_one_event{};
  Most longest_stream{}, largest_group{};
  std::vector<Most> components{};  // the paths' first ones with most events, most first
};
const Answers& history_answers();
const Answers& sample_answers();

// Asks a store that holds a history, imported by correlationId, everything that is known of it.
void expect_known_answers(EventStore& store, const Answers& known);
// The same of what esctl tells; it exports into the directory `scratch`.
void expect_known_answers_of_esctl(const std::string& store, const Answers& known,
                                   const fixtures::ScratchDirectory& scratch);

}  // namespace esdb::end_to_end
