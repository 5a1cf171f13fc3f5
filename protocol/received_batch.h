// A batch as it came over the wire: copied out of its message on the I/O thread, checked and made a
// Batch in the thread of whoever asked for it.
//
// Threads: a value; functions, any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "esdb/cursor.h"
#include "esdb/error.h"

namespace esdb::protocol {

struct ReceivedBatch {
  struct Place {
    std::uint64_t position{};
    std::uint64_t version{};
    std::int64_t committed{};
    std::uint32_t bytes{};
    std::uint32_t ordinal{};  // twice the place in its append, plus 1 for the last of it
  };
  std::unique_ptr<std::uint64_t[]> events{};  // the encoded events, one behind the other
  std::size_t bytes{};
  std::vector<Place> places{};
  esdb::Batch::Progress progress{};
};

// What the bytes say, once everything in them has been checked: each event is in the one accepted
// layout and positions go in the direction of reading, from `seen` on (0: from anywhere). kCorrupt
// when they do not: the other side is not to be trusted.
Result<esdb::Batch> open(ReceivedBatch received, Direction direction, Position seen);

}  // namespace esdb::protocol
