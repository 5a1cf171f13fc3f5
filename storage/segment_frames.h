// SegmentFrames: what a segment's footer says, found in the frames themselves, for a reader that
// meets a damaged footer. It walks from header to header, and reads whole the frame that is asked
// about.
//
// Threads: one.
// Errors:  those of SegmentReader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "esdb/error.h"
#include "storage/format.h"

namespace esdb::storage {

class SegmentReader;

class SegmentFrames {
 public:
  struct Event {
    std::uint64_t offset{};  // of its record
    bool ends_commit{};
    FooterId id{};
  };
  Result<FooterFrame> frame(SegmentReader& reader, std::size_t index);
  // One of the frame with this index.
  Result<Event> event(SegmentReader& reader, std::size_t frame_index, Position position);

 private:
  std::vector<FooterFrame> frames_{};  // as far as it has walked
  std::uint64_t next_at_ = 0;          // the offset behind them
  std::vector<Event> events_{};        // of the frame read last
  Position events_from_{};
};

}  // namespace esdb::storage
