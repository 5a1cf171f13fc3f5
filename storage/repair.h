// Repair: makes a store that is refused openable again, and says what that loses.
//
// The repaired log is made beside the one that is there, in DIR/damaged-<time>/log, by the recovery
// that an opening uses; then the two directories change places in one operation of the file system.
// The log that was is never written to: what the repaired one lacks of it stays in
// DIR/damaged-<time>, with a description. Whatever ends a repair before that operation leaves the
// store as it was, refused; what ends it later leaves it repaired.
//
// Threads: functions; any thread, one a directory. Nobody else has the store open.
// Errors:  kLocked, kInvalidArgument (no store there), kUnsupported, kDenied, kDiskFull; kRefused:
//          it cannot be repaired, with the reason.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "storage/repair_plan.h"

namespace esdb::storage {

struct RepairSurvey {
  bool opens = false;  // nothing is to be repaired; nothing else is said then
  std::string store_id{};
  std::string refusal{};  // what an opening says
  RepairPlan plan{};
};

// Looks, and writes nothing.
Result<RepairSurvey> survey_repair(const std::string& directory);

struct RepairOptions {
  // Called before each step, with what it does.
  std::function<void(std::string_view)> step{};
};

struct Repaired {
  RepairSurvey survey{};  // what it went by
  std::string aside{};    // the directory of what was set aside; empty: nothing had to be done
};

// Does what survey_repair() says.
Result<Repaired> repair(const std::string& directory, const RepairOptions& options = {});

// The plan in words, a line each.
std::vector<std::string> lines_of(const RepairPlan& plan);

}  // namespace esdb::storage
