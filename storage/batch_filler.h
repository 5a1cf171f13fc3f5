// BatchFiller: moves events from segments into a batch's memory, until the budget is used up.
//
// Threads: one.
// Errors:  kCorrupt, from the first event that cannot be given; those before it are given first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "esdb/error.h"
#include "esdb/implement.h"
#include "storage/frame_check.h"
#include "storage/log.h"
#include "storage/segment_reader.h"

namespace esdb::storage {

class BatchFiller {
 public:
  BatchFiller(const ReadBudget& budget, BatchMemory& batch) : budget_(budget), batch_(batch) {}

  // Whether something was given and nothing more may be.
  bool is_full() const { return full_ || events_ >= budget_.events; }
  std::uint64_t events() const { return events_; }

  // Events from..to of this segment, in order: fewer when the budget is used up or what follows
  // takes another read. The last one given, or from - 1.
  Result<Position> add_run(SegmentReader& reader, const Positions& run);
  // One event. false: the budget is used up.
  Result<bool> add_one(SegmentReader& reader, Position position);
  // The same in three steps. What read() gives is valid while the segment is held.
  struct Located {
    Position position{};
    std::uint64_t offset{};  // of its record
    std::uint64_t end{};     // of what may be shown
    Time committed{};
  };
  struct Found {
    ScannedRecord record{};
    Time committed{};
    std::vector<std::byte> bytes{};  // where it was read into
  };
  static Result<Located> locate(SegmentReader& reader, Position position);
  static Result<Found> read(SegmentReader& reader, const Located& located);
  bool add(const Found& found);
  std::size_t bytes_left() const { return budget_.bytes - std::min(bytes_, budget_.bytes); }

 private:
  struct Walk;
  bool fits(std::size_t bytes);
  Result<void> walk(SegmentReader& reader, Walk& at, const Positions& run);
  Result<bool> enter_frame(SegmentReader& reader, Walk& at, Position next);
  void keep(std::unique_ptr<std::uint64_t[]> block, std::size_t block_bytes, std::size_t from);
  std::span<std::byte> pack(std::size_t bytes);

  const ReadBudget budget_;
  BatchMemory& batch_;
  std::size_t bytes_ = 0;
  std::uint64_t events_ = 0;
  bool full_ = false;
  std::span<std::byte> pack_left_{};  // of the block that single events are copied into
};

}  // namespace esdb::storage
