// A log, its history, the tail index and the index beside it: what the tests of the index work on.
#pragma once

#include <memory>
#include <random>

#include "storage/generation.h"
#include "storage/index.h"
#include "storage/replay.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/storage/lookup_against.h"
#include "tests/storage/written_log.h"

namespace esdb::storage {

struct IndexStore {
  explicit IndexStore(std::uint64_t seed) : history(seed) {}

  IndexOptions options() const { return log.index_options(directory.path()); }
  void open() { open(options()); }
  void open(const IndexOptions& options) {
    index.reset();
    index = Index::open(options, *log).value();
    tail = std::make_unique<TailIndex>(index->tail_begins());
    replay_tail(*log, *tail).value();
  }
  void write(std::size_t frames, std::size_t events_max = 40) {
    for (std::size_t i = 0; i < frames; ++i) {
      history.add_frame(events_max);
      const auto& frame = log.append(history);
      if (tail) add_frame(*tail, frame);
    }
  }
  // Everything written so far goes into the index.
  void commit() {
    tail->freeze();
    while (auto generation = tail->oldest_frozen()) {
      index->commit(*generation).value();
      tail->drop_oldest();
    }
    tail->freeze_when_due({});
  }
  void expect_truth() {
    auto lookup = Lookup::begin(*log, *tail, index.get()).value();
    ASSERT_EQ(lookup.position(), log->durable());
    storage::expect_truth(lookup, history);
  }

  fixtures::ScratchDirectory directory;
  WrittenLog log;
  TermHistory history;
  std::unique_ptr<Index> index;
  std::unique_ptr<TailIndex> tail;
};

}  // namespace esdb::storage
