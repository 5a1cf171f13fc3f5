// The index on disk: LMDB, derived from the log, deletable at any time.
//
// It may cost time, never a wrong answer: rows and chunks carry checksums, a term stands a second
// time under a seeded hash in another tree (absent means absent in both), a walk finds exactly the
// row's count, and every hit is checked against its record by whoever reads it. LMDB itself detects
// no damage.
//
// Threads: commit() and rebuild(): the indexer. Transactions for reading: any thread.
// Errors:  kUnavailable while it is rebuilt or damaged; kStorage-like failures come as kReadOnly
// from
//          the writer, never from here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "esdb/error.h"
#include "storage/generations.h"
#include "storage/log.h"

namespace esdb::storage {

struct IndexOptions {
  std::string directory{};  // <store>/index
  Uuid store_id{};
  std::uint64_t seed{};
  std::size_t memory{};  // bytes of dirty pages a transaction may hold
  std::function<void(std::string_view)> log{};
};

class Index {
 public:
  // Opens or makes the environment and compares its meta row with the log. What is foreign, forked
  // or damaged is discarded (to be rebuilt); an index beyond the log's end whose epochs hold the
  // log's last epoch proves that acknowledged data was lost: kRefused.
  static Result<std::unique_ptr<Index>> open(const IndexOptions& options, const Log& log);
  static Result<std::unique_ptr<Index>> open_read_only(const IndexOptions& options, const Log& log);
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  FrameMark indexed() const;  // everything up to this frame is in it

  // ---- the indexer
  // Entries, meta row and mark in one transaction, durable when it returns. A failure is aborted
  // and the environment reopened: commit the same generation again.
  Result<void> commit(const Generation& generation);
  // Writes index.new from the log without syncs, syncs once, renames. step() does a slice of it and
  // says whether it is finished, so that a simulator can drive it.
  bool needs_rebuild() const;
  Result<bool> rebuild_step(const Log& log);
  int rebuild_percent() const;

  struct State;
  State& state() { return *state_; }

 private:
  explicit Index(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace esdb::storage
