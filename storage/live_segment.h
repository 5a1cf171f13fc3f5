// What can be told of a log that somebody else is writing to, by its files alone: everything that
// they say is durable, and nothing that may be under way.
//
// A claim of what is durable is written when that is on the device. Whoever reads claims first, the
// names of the files next, and their bytes last, finds all that the claims are about.
//
// Threads: functions; any thread, beside a process that writes.
#pragma once

#include <cstdint>

#include "storage/offline_segment.h"

namespace esdb::storage {

// The highest frame number that witnesses, frames and footers claim durable now.
Result<std::uint64_t> durable_in(Io& io, const OfflineLog& log);

// An unsealed segment's bytes from the device. What follows the frame `durable` is zero, and so is
// the place of the footer, which may just be written. `segment` has a header.
Result<SegmentBytes> settled_bytes(Io& io, const OfflineSegment& segment, std::uint64_t durable);

}  // namespace esdb::storage
