// The system calls of this program that are about files below one directory: each asks a FaultPlan
// whether it is to fail. LMDB and the C++ library make theirs through the C library, too.
//
// Threads: any.
#pragma once

#include <string>

#include "tests/faults/fault_plan.h"

namespace esdb::faults {

// While it lives. At most one at a time.
class WatchedCalls {
 public:
  // Only those whose file's name contains `name`, where one is given.
  WatchedCalls(FaultPlan& plan, std::string directory, std::string name = "");
  ~WatchedCalls();
  WatchedCalls(const WatchedCalls&) = delete;
  WatchedCalls& operator=(const WatchedCalls&) = delete;
};

}  // namespace esdb::faults
