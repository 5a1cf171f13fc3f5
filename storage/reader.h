// A reader: where one read or subscription stands, and how the next batch is made, without waiting.
//
// Small windows, and queries that match much of theirs, are walked along the log; the others along
// the postings of their terms. Either way every event given was checked against its record, and
// everything passed over does not match.
//
// Threads: one at a time.
// Errors:  do not move it. kOtherStore for a start or bound beyond the log or of another store;
//          kInvalidArgument for a query or start that makes no sense; kCorrupt; kUnavailable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "esdb/cursor.h"
#include "esdb/implement.h"
#include "esdb/query.h"
#include "storage/lookup.h"
#include "storage/prepare.h"

namespace esdb::storage {

class QueryWalk;

class Reader {
 public:
  enum class Kind : std::uint8_t { kRead, kSubscription };
  Reader(Kind kind, Query query, ReadOptions options);

  // The next events: at least one where any is left below the end, up to about max_bytes. Looks at
  // a bounded stretch of the log, so an empty batch that is not finished and not at the end means:
  // call again.
  Result<Batch> read(const Sources& sources, std::size_t max_bytes);
  // Nothing is left to look at now: a subscription waits.
  bool at_end(const Sources& sources) const;

 private:
  struct Making;
  Result<void> begin(const Sources& sources);
  Result<void> begin_at(const Start& start, const Sources& sources);
  Result<void> begin_at_checkpoint(const Checkpoint& at, const Sources& sources);
  Result<void> begin_at_version(Version seen, const Sources& sources);
  Result<void> pass_time(const Sources& sources);
  Result<void> make(const Sources& sources, Making& making);
  Result<void> scan(const Sources& sources, Making& making);
  Result<void> follow(const Sources& sources, Lookup& lookup, QueryWalk& walk, Making& making);
  Result<void> take_scanned(Making& making, std::unique_ptr<BatchMemory> chunk);
  Result<Version> version_at(Position end, Lookup& lookup, const Log& log) const;
  Result<Batch> finish(const Sources& sources, Making making);
  bool is_backwards() const { return options_.direction == Direction::kBackwards; }
  Position end(const Log& log) const;

  const Kind kind_;
  const Query query_;
  const bool is_everything_;
  const std::string one_stream_;
  ReadOptions options_;
  bool begun_ = false;  // by the first read()
  bool finished_ = false;
  // Forwards: everything up to `seen_` was considered. Backwards: everything from it on (0: nothing
  // yet). Bounds: (lower_, upper_].
  Position seen_{};
  Position lower_{};
  Position upper_{};  // of a read: at most what was durable when it began
  Position start_{};  // what was asked for
  Position top_{};    // backwards: the highest position it looks at
  bool is_before_its_time_ = false;
  std::uint64_t left_ = 0;
};

}  // namespace esdb::storage
