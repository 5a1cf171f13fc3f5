// What a machine can do where a store lies on it, found out by trying: direct I/O, durable writes,
// io_uring, and how long a durable write takes.
//
// Threads: a function; any thread. Writes a scratch file without a name, which is gone when it
// returns.
#pragma once

#include <cstddef>

#include "storage/machine_facts.h"

namespace esdb::storage {

inline constexpr std::size_t kTrialWrites = 200;

// Fills in what is to be tried. What cannot be tried, because nothing can be written there, stays
// empty.
void try_machine(MachineFacts& facts, std::size_t writes = kTrialWrites);

}  // namespace esdb::storage
