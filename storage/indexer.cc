#include "storage/indexer.h"

#include "storage/check.h"
#include "storage/generation.h"
#include "storage/sabotage.h"

namespace esdb::storage {

Indexer::Indexer(Index& index, TailIndex& tail, const Log& log)
    : index_(index), tail_(tail), log_(log) {}

Result<bool> Indexer::step() {
  const auto generation = tail_.oldest_frozen();
  // Covered by the durable position, too: a lookup may show what the index holds.
  if (generation == nullptr) return false;
  const bool durable = log_.covered_frame() >= generation->end().frame_number;
  if (!durable && !sabotaged(Sabotage::kIndexAheadOfLog)) return false;
  const auto is_all = index_.commit(generation);
  if (!is_all) return is_all;
  ESDB_CHECK(index_.indexed().frame_number <= log_.durable_frame());
  if (*is_all) tail_.drop_oldest();
  return true;
}

}  // namespace esdb::storage
