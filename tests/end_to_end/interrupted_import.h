// Imports that are killed on their way, and begun again.
#pragma once

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/server_process.h"

namespace esdb::end_to_end {

// The seed of a test's random choices: ESDB_SEED, else a new one; printed.
std::mt19937_64 random_from_printed_seed();

// `count` different lines of the file, growing: where to kill.
std::vector<std::size_t> random_lines(const LineFile& file, std::size_t count,
                                      std::mt19937_64& random);

// Imports the file into `store` by correlationId. Each time that the importer has been given the
// lines up to one of `kill_behind` it is killed, with SIGKILL, and another begins from the first
// line. "" when the last one ended well.
std::string import_with_kills(const LineFile& file, const std::string& store,
                              const std::vector<std::size_t>& kill_behind);

// The same with one importer and a server that is killed and started again.
std::string import_with_server_kills(const LineFile& file, ServerProcess& server,
                                     const std::vector<std::size_t>& kill_behind);

}  // namespace esdb::end_to_end
