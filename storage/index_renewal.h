// Renewal: the index of a store that nobody has open, given up and built again from the log.
//
// The one that is there keeps its place until the new one is whole and on stable storage: whatever
// ends this in between, the next opening finds an index that it can use, or builds one.
//
// Threads: a function; any thread, one a directory. progress() is called by the same thread.
// Errors:  those of an opening (kLocked, kRefused, kInvalidArgument, ...); kCorrupt where the log
// is
//          damaged (segment, offset, positions); kDiskFull. The index is as it was then.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "esdb/error.h"
#include "esdb/numbers.h"

namespace esdb::storage {

struct RenewalProgress {
  std::uint64_t events_done{};
  std::uint64_t events_all{};
};

struct RenewalOptions {
  std::function<void(const RenewalProgress&)> progress{};  // after each transaction
  // Bytes for a part of the log's terms, of which there are two, and for a transaction's dirty
  // pages; 0: the index's own choice.
  std::size_t memory = 0;
  std::function<void(std::string_view)> log{};
};

struct Renewal {
  std::uint64_t events{};
  std::uint64_t index_bytes{};
};

Result<Renewal> renew_index(const std::string& directory, const RenewalOptions& options = {});

}  // namespace esdb::storage
