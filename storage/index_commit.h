// Writing one generation into the index: entries, meta row and mark, in as many transactions as its
// dirty pages need.
//
//   transaction   1                  2                 3                   4 (the last)
//   writes        epochs,            second entries,   rows of terms,      rows of terms,
//                 second entries     rows of terms     with their chunks   tracking
//   meta row      mark, next, ""     mark, next, key   mark, next, key'    mark := next
//
// Second entries go in the order of their hashes, rows in the order of their keys, so that a large
// generation passes over each tree once, page after page, with little memory. Numbers of new terms
// are those that one transaction would give; what another GenerationCommit began (the process
// ended, a transaction failed) is gone on with where the meta row says.
//
// Threads: one at a time.
// Errors:  kUnavailable where what is there contradicts what is to be added: damage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "esdb/error.h"
#include "storage/generation.h"
#include "storage/index_environment.h"
#include "storage/index_health.h"
#include "storage/index_rows.h"

namespace esdb::storage {

// How many of a generation's sorted terms are at the next mark: these are the first.
std::size_t terms_at_next(const MetaRow& meta, const std::vector<const TermNode*>& sorted);

class GenerationCommit {
 public:
  GenerationCommit(std::shared_ptr<const Generation> generation, std::uint64_t seed,
                   IndexHealth& health);

  const std::shared_ptr<const Generation>& generation() const { return generation_; }
  // The most that a transaction of it takes in the file.
  std::size_t room(std::size_t dirty_bytes) const;
  // Writes what `dirty_bytes` of pages allow, by an estimate, and the meta row, which it brings up
  // to what it wrote. The caller commits. True: that is all of the generation. After a failure
  // this GenerationCommit has ended, and nothing of the transaction counts.
  Result<bool> write(Transaction& transaction, MetaRow& meta, std::size_t dirty_bytes);
  // All of it but the terms, in one transaction: an IndexBuild has those.
  Result<void> write_without_terms(Transaction& transaction, MetaRow& meta);

 private:
  struct PendingChunk {
    ChunkKey key;
    std::uint32_t begin, size;  // in chunk_bytes_
  };
  using Second = std::pair<SecondKey, std::uint64_t>;

  Result<void> begin(Transaction& transaction, MetaRow& meta);
  Result<void> number_new_terms(Transaction& transaction, const MetaRow& meta);
  Result<void> write_epochs(Transaction& transaction, MetaRow& meta);
  Result<void> write_seconds(Transaction& transaction);
  Result<void> write_terms(Transaction& transaction, MetaRow& meta);
  Result<void> add_term(TreeCursor& cursor, const TermNode& node, MetaRow& meta);
  Result<void> extend(TreeCursor& cursor, const TermNode& node);
  void append_positions(const TermNode& node);
  void add_chunk();
  Result<void> write_chunks(Transaction& transaction);
  Result<void> write_tracking(Transaction& transaction, MetaRow& meta);
  Result<void> finish(Transaction& transaction, MetaRow& meta);

  bool has_room() const { return dirty_ < dirty_max_; }
  LmdbResult<void> estimate(const Transaction& transaction, const MetaRow& meta);
  Result<void> checked(const LmdbResult<void>& result);
  std::unexpected<Error> failed(LmdbError error);
  std::unexpected<Error> damaged(std::string_view what);

  const std::shared_ptr<const Generation> generation_;
  const std::uint64_t seed_;
  IndexHealth& health_;
  const std::shared_ptr<const std::vector<const TermNode*>> sorted_;
  const std::vector<const TermNode*>& terms_;

  bool begun_ = false;
  std::vector<std::uint64_t> numbers_;  // by sequence; 0: in the index already
  std::uint64_t new_terms_ = 0;
  std::vector<Second> seconds_;  // of new terms, by hash
  std::size_t next_second_ = 0;  // how far it has come
  std::size_t next_term_ = 0;

  // Bytes of pages that an entry makes dirty, its own apart: neighbours share them.
  std::map<TermClass, double> dirty_of_term_;
  double dirty_of_second_ = 0;

  // Of one transaction.
  double dirty_ = 0, dirty_max_ = 0;  // bytes of pages
  TermRow row_;
  std::vector<std::byte> value_;
  std::vector<PendingChunk> chunks_;
  std::vector<std::byte> chunk_bytes_;
};

}  // namespace esdb::storage
