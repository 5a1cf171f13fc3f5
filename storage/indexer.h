// The indexer: moves frozen generations from memory into the index on disk, the oldest first.
//
// Invariants: a generation is committed once every frame of it is durable, so the index never
//             holds what a crash could take back; it is dropped from memory only after its commit.
// Threads:    one.
// Errors:     those of Index::commit(): the generation stays where it is, and the same step is
//             taken again later.
#pragma once

#include "esdb/error.h"
#include "storage/generations.h"
#include "storage/index.h"
#include "storage/log.h"

namespace esdb::storage {

class Indexer {
 public:
  Indexer(Index& index, TailIndex& tail, const Log& log);

  // Commits one generation, or a part of it, where one is frozen and durable. Says whether it did.
  Result<bool> step();

 private:
  Index& index_;
  TailIndex& tail_;
  const Log& log_;
};

}  // namespace esdb::storage
