#include "storage/index_renewal.h"

#include <utility>

#include "storage/index.h"
#include "storage/index_files.h"
#include "storage/posix_io.h"
#include "storage/recovery.h"

namespace esdb::storage {

Result<Renewal> renew_index(const std::string& directory, const RenewalOptions& options) {
  PosixIo io;
  IndexOptions index_options{.directory = directory + "/index", .log = options.log};
  if (options.memory != 0)
    index_options.dirty_bytes = index_options.generation_bytes = options.memory;
  const auto claimed = [&](const LogOptions::Known& known) {
    index_options.store_id = known.store_id;
    index_options.seed = known.seed;
    return Index::claimed_frame(index_options, known.last_epoch_id, Access::kReadWrite);
  };
  auto log = open_log(io, {.directory = directory,
                           .create = Create::kNever,
                           .indexed_frame = claimed,
                           .log = options.log});
  if (!log) return std::unexpected(log.error());
  const auto events = (*log)->durable().value;
  auto index = Index::open(index_options, **log);
  if (!index) return std::unexpected(index.error());
  if (auto given_up = (*index)->give_up(**log); !given_up) return std::unexpected(given_up.error());
  for (;;) {
    auto done = (*index)->rebuild_step(**log);
    if (!done) {
      index->reset();
      // What is half built is of no use; should it stay, the next opening discards it.
      [[maybe_unused]] const auto gone = IndexFiles(index_options.directory).discard_new();
      return std::unexpected(done.error());
    }
    if (options.progress) options.progress({*done ? events : (*index)->rebuilt().value, events});
    if (*done) break;
  }
  const Renewal renewal{.events = events, .index_bytes = (*index)->bytes()};
  index->reset();
  if (auto closed = (*log)->close(); !closed) return std::unexpected(closed.error());
  return renewal;
}

}  // namespace esdb::storage
