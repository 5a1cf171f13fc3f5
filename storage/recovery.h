// Recovery: from what lies in a directory to a log that may be appended to, or a refusal.
//
// One decision table (docs/durability.md has a copy): the whole decision is taken before a byte is
// written. D is the highest frame number that any valid frame, witness, footer or the index's meta
// row claims durable; X the first frame number that is missing or damaged. D >= X: acknowledged
// data is damaged: refuse, write nothing. Otherwise everything behind X - 1 is cut.
//
// Threads: one, before anything else runs.
// Errors:  kRefused (segment, offset, positions, what to do), kLocked, kUnsupported (format),
//          kInvalidArgument (an option, or no store there), kDiskFull (no room for a new store),
//          kUnavailable (no descriptor or memory left: nothing is wrong with the store),
//          kDenied (not this user's files).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "esdb/error.h"
#include "esdb/event_store.h"
#include "storage/io.h"
#include "storage/log.h"

namespace esdb::storage {

struct LogOptions {
  std::string directory{};  // the store's; segments lie in <directory>/log
  Access access = Access::kReadWrite;
  Create create = Create::kIfMissing;
  std::size_t write_unit = 0;
  std::size_t segment_bytes = 0;  // as OpenOptions
  std::size_t memory = kMemoryDefault;
  std::size_t append_bytes_max = kAppendBytesDefault;  // every such append fits a fresh segment
  std::string announce{};
  // The highest frame number that the index's meta row claims durable, when it is of this store and
  // has seen the epoch of the log's last valid frame (zeros: there is none). Asked once these are
  // known.
  struct Known {
    Uuid store_id{};
    std::uint64_t seed{};
    Uuid last_epoch_id{};
  };
  std::function<std::uint64_t(const Known& known)> indexed_frame{};
  std::function<void(std::string_view)> log{};
};

// The largest append_bytes_max that always fits: a quarter of a segment.
std::size_t append_bytes_cap(const LogOptions& options);
// Of the next segment, when so many are sealed.
std::size_t segment_bytes_for(const LogOptions& options, std::uint64_t sealed);

// Locks, reads, decides, cuts. The log is ready for reading and for the writer.
Result<std::unique_ptr<Log>> open_log(Io& io, const LogOptions& options);

}  // namespace esdb::storage
