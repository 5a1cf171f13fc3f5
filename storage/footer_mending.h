// Mending a footer: its tables are built anew from the segment's frames, and the blocks that differ
// are written in place.
//
// In place, because the tables lie in physical blocks of their own: neither the frames nor the tail
// that makes the segment a sealed one are touched, and a block that a crash leaves torn fails its
// checksum as it did before, and is mended again. The store opens all the same: an opening reads
// the tail alone. A damaged sector is mapped elsewhere by the device when it is written.
//
// Threads: functions; the background.
#pragma once

#include <cstdint>
#include <string>

#include "esdb/error.h"
#include "storage/io.h"
#include "storage/segment_reader.h"

namespace esdb::storage {

// `reader`: of the whole sealed segment, whose tail this is. Returns how many bytes differed.
// kCorrupt: its frames are damaged, too, or the device takes no write; nothing more can be done.
// kUnavailable: again later.
Result<std::uint64_t> mend_footer(Io& io, const std::string& path, SegmentReader& reader,
                                  const FooterTail& tail);

}  // namespace esdb::storage
