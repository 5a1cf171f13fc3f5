// IndexBuild: an index written from nothing. The terms of all generations are sorted outside
// memory; then each row is written once, in the order of keys, however often its term comes up.
// (GenerationCommit is what brings an index further that is there.)
//
//   add()     generation 1 | 2 | ... -> a sorted run each      epochs, tracking, mark -> the index
//   write()   all runs, merged       -> rows of terms, chunks; then second entries
//
// Between add() and the end of write() the index has no terms, and may not be read: it lies in
// index.new. Term numbers are given in the order of keys, so that chunks come in their order, too.
//
// Threads: one at a time.
// Errors:  kDiskFull: nothing was done, and the same may be asked for again. kUnavailable: all
// begins
//          again from nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "esdb/error.h"
#include "storage/generation.h"
#include "storage/index_environment.h"
#include "storage/index_health.h"
#include "storage/index_rows.h"
#include "storage/sorted_runs.h"

namespace esdb::storage {

class IndexBuild {
 public:
  // `directory`: for what is sorted. `memory`: for blocks of it, and as much for second entries
  // that are not written yet.
  static Result<std::unique_ptr<IndexBuild>> begin(const std::string& directory, std::uint64_t seed,
                                                   std::size_t memory);

  // In the order of the log.
  Result<void> add(const Generation& generation);
  // Once all are added. Writes as much as makes so many bytes of pages dirty. True: that was all;
  // the meta row tells so.
  Result<bool> write(Transaction& transaction, MetaRow& meta, std::size_t dirty_bytes);
  std::uint64_t events_written() const { return events_written_; }

 private:
  using Second = std::pair<SecondKey, std::uint64_t>;

  IndexBuild(std::unique_ptr<SortedRuns> terms, std::unique_ptr<SortedRuns> seconds,
             std::uint64_t seed, std::size_t memory)
      : terms_(std::move(terms)),
        seconds_(std::move(seconds)),
        seed_(seed),
        waiting_max_(memory / sizeof(Second) + 1) {
    waiting_.reserve(waiting_max_);
  }

  Result<void> write_terms(Transaction& transaction, MetaRow& meta);
  Result<void> add_list(TreeCursor& chunks);
  Result<void> end_term(TreeCursor& rows, MetaRow& meta);
  Result<void> end_second_run();
  Result<void> begin_seconds();
  Result<void> write_seconds(Transaction& transaction);
  bool has_room() const { return dirty_ < dirty_max_; }

  std::unique_ptr<SortedRuns> terms_, seconds_;  // terms_: until they are written
  const std::uint64_t seed_;
  const std::size_t waiting_max_;
  std::vector<Second> waiting_{};  // for the next run of seconds_

  enum class Stage : std::uint8_t { kGathers, kTerms, kSeconds } stage_ = Stage::kGathers;
  std::vector<std::byte> key_{};  // of the term whose row is being made; empty: none is
  TermRow row_{};
  std::uint64_t events_written_ = 0;
  std::size_t dirty_ = 0, dirty_max_ = 0;  // bytes of pages, of one transaction
  std::vector<std::byte> value_{};
};

}  // namespace esdb::storage
