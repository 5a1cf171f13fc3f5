// Bugs to plant on demand, so that the tests can be tested: each stands where somebody could have
// made it, and the ordinary tests have to find it (scripts/sabotage). ESDB_SABOTAGE=N plants number
// N, in a build made with -DESDB_SABOTAGE=ON only; in any other this file is nothing.
//
// Threads: any.
#pragma once

#ifdef ESDB_SABOTAGE
#include <cstdlib>
#endif

namespace esdb::storage {

enum class Sabotage {
  kAnswerBeforeDurable = 1,
  kNoDirectorySync,
  kShortWriteIsFull,
  kWriteRepeatedAfterFailure,
  kTailNotZeroed,
  kIndexAheadOfLog,
  kIndexMarkInSecondTransaction,
  kChecksumWithoutHeader,
  kChecksumWithoutSeed,
  kRecoveryReadsPageCache,
  kCheckpointBeyondGiven,
  kIdsForgottenWithIndex,
  kTailUnitWrittenAgain,
  kRollWithoutBarrier,
  kWatermarkInPositions,
};

#ifdef ESDB_SABOTAGE
inline bool sabotaged(Sabotage bug) {
  static const int planted = [] {
    const char* given = std::getenv("ESDB_SABOTAGE");
    return given == nullptr ? 0 : std::atoi(given);
  }();
  return planted == static_cast<int>(bug);
}
#else
constexpr bool sabotaged(Sabotage) { return false; }
#endif

}  // namespace esdb::storage
