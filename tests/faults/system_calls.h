// The system calls of this program that are about files below one directory: each asks a FaultPlan
// whether it is to fail. LMDB and the C++ library make theirs through the C library, too.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/faults/fault_plan.h"

namespace esdb::faults {

// While it lives. At most one at a time.
class WatchedCalls {
 public:
  enum class Which : std::uint8_t {
    kAll,    // of the C library
    kIndex,  // of them, those about LMDB's files
    kRings,  // what is handed to an io_uring
  };
  WatchedCalls(FaultPlan& plan, std::string directory, Which which);
  ~WatchedCalls();
  WatchedCalls(const WatchedCalls&) = delete;
  WatchedCalls& operator=(const WatchedCalls&) = delete;
};

// What is to go wrong with an operation of an io_uring on this file.
std::optional<Fault> fault_of_ring(const char* operation, int fd);
// Whether the kernel completes an operation as it is told to (6.13 and later).
bool rings_can_fail();

}  // namespace esdb::faults
