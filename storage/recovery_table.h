// The decision of an open: what was found, and what is done about it. docs/durability.md has a copy
// of the table; a test enumerates every combination of inputs.
//
// Threads: plain data and functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "esdb/event_store.h"

namespace esdb::storage {

// The segment files, as far as one can tell without their frames.
enum class FoundFiles : std::uint8_t {
  kNone,           // no segment
  kOneHalfMade,    // the first one, without a header and zero behind it: a crash made the store
  kSound,          // numbered without gaps, the last one not sealed
  kMissing,        // a number is missing
  kForeign,        // one is another store's, or does not fit those beside it
  kLastSealed,     // the last one is sealed, or half-made behind a sealed one
  kHeaderDamaged,  // one has no sound header, and is not zero behind it
};

// D: the highest frame number that is claimed durable. X: the first that is missing or damaged.
enum class Claims : std::uint8_t { kBelow, kReach };  // D < X; D >= X

enum class Rest : std::uint8_t {
  kClean,  // all is zero behind X - 1, and a witness says X - 1
  kDirty,  // a torn frame, a half-made next segment, a file cut short, a witness that lags
};

struct Evidence {
  FoundFiles files{};
  bool index_exists{};
  Claims claims{};
  Rest rest{};
  Access access{};
  Create create{};
};

enum class Verdict : std::uint8_t {
  kMakeStore,
  kNoStore,
  kServe,             // up to X - 1; writes nothing
  kMend,              // zeroes what is not zero behind X - 1, writes the witness, then serves
  kRefuseLogGone,     // an index without a log
  kRefuseMissing,     // a segment is missing
  kRefuseForeign,     // a segment is another store's, or contradicts its neighbours
  kRefuseLastSealed,  // the segment behind the last sealed one is gone
  kRefuseHeader,      // a segment's header is damaged
  kRefuseDamage,      // acknowledged data is damaged or missing
};

// One row of the table; nothing in a column: any.
struct RecoveryRow {
  FoundFiles files{};
  std::optional<bool> index_exists{};
  std::optional<Claims> claims{};
  std::optional<Rest> rest{};
  std::optional<Access> access{};
  std::optional<Create> create{};
  Verdict verdict{};
  std::string_view why{};  // which history leads here
};
std::span<const RecoveryRow> recovery_table();
bool holds(const RecoveryRow& row, const Evidence& evidence);

// The verdict of the one row that holds.
Verdict decide(const Evidence& evidence);

std::string_view to_string(FoundFiles files);
std::string_view to_string(Verdict verdict);

}  // namespace esdb::storage
