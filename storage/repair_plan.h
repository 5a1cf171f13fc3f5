// RepairPlan: what can be made of a log that is refused, and what is lost by it. Decided before a
// byte is written.
//
//   a segment inside the log    what is gone of it answers `corrupt`, by a footer that its
//                               neighbours bound: positions behind it stay what they were
//   the end of the log          is cut behind the last whole frame that follows, and a new epoch
//                               begins there: a checkpoint of what was cut is told as another
//                               store's, and an index that knows more is discarded
//   a header                    is made again: other segments' headers say what it said
//
// What it does not decide: which of two segments that contradict each other is right, and what a
// log without any sound header was.
//
// Threads: functions; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "esdb/numbers.h"
#include "storage/damaged_log.h"

namespace esdb::storage {

// One thing that a repair gives up, or mends.
struct RepairItem {
  enum class Kind : std::uint8_t {
    kCut,      // behind the end: gone, and positions from `first` on will be given again
    kCorrupt,  // inside the log: gone, and reading it answers `corrupt`
    kHeader,   // nothing is lost
  };
  Kind kind{};
  std::uint32_t segment{};
  std::string file{};                         // its path
  std::uint64_t offset{};                     // from here on in the file
  std::uint64_t first_frame{}, last_frame{};  // zeros: none is known
  Position first{}, last{};                   // last 0: nobody knows how many there were
  std::uint64_t readable{};            // events among them that are whole, in the files set aside
  std::vector<std::string> streams{};  // of these, some
  std::string what{};
};

// How a segment gets into the repaired log.
struct PlannedSegment {
  enum class How : std::uint8_t {
    kLink,        // sealed: as it is
    kCopy,        // up to `frames_end`, zeros behind it
    kSubstitute,  // what is whole of it, and a footer over all of it
    kNew,         // empty
  };
  How how{};
  std::uint32_t number{};
  SegmentHeader header{};
  std::uint64_t frames_end{};       // kCopy, kSubstitute: bytes taken from the file up to here
  OpenSegment::Before before{};     // kSubstitute: the log's end before it ...
  OpenSegment::Before behind{};     // ... and behind it
  std::vector<KnownFrame> whole{};  // kSubstitute: what can still be read, by offset
};

struct RepairPlan {
  std::vector<PlannedSegment> segments{};
  std::vector<RepairItem> items{};   // in the order of the log
  std::vector<std::string> aside{};  // names of files that leave the log and are in no item
  bool begins_epoch = false;         // the end was cut
  // What is lost inside the log keeps the index from being built, and there is none that could be
  // kept: what needs one (streams, queries, appends) is answered `corrupt` for ever.
  bool reads_by_position_only = false;
  Position last{};  // that the repaired log ends with
  std::uint64_t last_frame{};
  std::uint64_t segments_kept{};
};

// `indexed_frame`: what the index claims, given the log's last epoch. kRefused: why it cannot be
// repaired.
using IndexedFrame = std::function<std::uint64_t(const Uuid& last_epoch_id)>;
Result<RepairPlan> plan_repair(Io& io, const DamagedLog& log, const IndexedFrame& indexed_frame);

}  // namespace esdb::storage
