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

  IndexOptions options() const {
    auto options = log.index_options(directory.path());
    if (dirty_bytes != 0) options.dirty_bytes = dirty_bytes;
    return options;
  }
  void open() { open(options()); }
  void open(const IndexOptions& options, Access access = Access::kReadWrite) {
    index.reset();
    index = (access == Access::kReadOnly ? Index::open_read_only(options, *log)
                                         : Index::open(options, *log))
                .value();
    ASSERT_NE(index, nullptr);
    tail = std::make_unique<TailIndex>(index->tail_begins(),
                                       TailOptions{.keeps_everything = access == Access::kReadOnly,
                                                   .first_end = index->first_end()});
    replay_tail(*log, *tail).value();
  }
  void write(std::size_t frames, std::size_t events_max = 40) {
    for (std::size_t i = 0; i < frames; ++i) {
      history.add_frame(events_max);
      const auto& frame = log.append(history);
      if (tail) add_frame(*tail, frame);
    }
  }
  // Writes so much, and commits it in so many transactions that others are to come.
  void commit_begun(std::size_t frames, std::size_t transactions) {
    commit();
    write(frames);
    tail->freeze();
    for (std::size_t i = 0; i < transactions; ++i)
      ASSERT_FALSE(index->commit(tail->oldest_frozen()).value());
  }
  // Everything written so far goes into the index.
  void commit() {
    tail->freeze();
    while (commit_part()) continue;
    tail->freeze_when_due({});
  }
  // One transaction; false: there was nothing to commit.
  bool commit_part() {
    const auto generation = tail->oldest_frozen();
    if (generation == nullptr) return false;
    if (index->commit(generation).value()) tail->drop_oldest();
    return true;
  }
  void expect_truth() {
    auto lookup = Lookup::begin(*log, *tail, index.get()).value();
    ASSERT_EQ(lookup.position(), log->durable());
    storage::expect_truth(lookup, history);
  }

  std::size_t dirty_bytes = 0;  // of an index transaction; 0: as many as there may be
  fixtures::ScratchDirectory directory;
  WrittenLog log;
  TermHistory history;
  std::unique_ptr<Index> index;
  std::unique_ptr<TailIndex> tail;
};

}  // namespace esdb::storage
