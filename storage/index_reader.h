// Reading the index on disk: one LMDB transaction, with every row checked.
//
// Absent means absent in both trees, up to the mark; a chunk that the row counts is there and full;
// lists ascend. Whatever is not so is damage: it is remembered (index_health.h), and the answer is
// an error.
//
// Threads: one.
// Errors:  kUnavailable once damage was found, kOverloaded when too many read at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "esdb/error.h"
#include "esdb/numbers.h"
#include "storage/index_environment.h"
#include "storage/index_health.h"
#include "storage/index_rows.h"

namespace esdb::storage {

class IndexReader {
 public:
  static Result<IndexReader> begin(const Environment& environment, IndexHealth& health,
                                   std::uint64_t seed);

  const MetaRow& meta() const { return meta_; }
  // False: no event has it that the index holds.
  Result<bool> find(TermClass kind, std::string_view text, TermRow& row) const;
  Result<std::optional<std::uint64_t>> tracked(std::string_view source) const;
  Result<bool> has_epoch(const Uuid& epoch_id) const;

  // For the cursors below.
  Result<TreeCursor> cursor(Tree tree) const;
  std::uint64_t seed() const { return seed_; }
  std::unexpected<Error> damaged(std::string_view what) const;
  std::unexpected<Error> failed(LmdbError error) const;

 private:
  IndexReader(Transaction transaction, IndexHealth& health, std::uint64_t seed)
      : transaction_(std::move(transaction)), health_(&health), seed_(seed) {}

  Transaction transaction_;
  IndexHealth* health_;
  std::uint64_t seed_;
  MetaRow meta_;
};

// One term's positions. Valid while its reader is.
class IndexedPostings {
 public:
  IndexedPostings(const IndexReader& reader, const TermRow& row) : reader_(&reader), row_(row) {}

  std::uint64_t count() const { return row_.count; }
  std::uint64_t last() const { return row_.last(); }
  Result<Position> seek(Position at_or_after);
  Result<Position> seek_back(Position at_or_before);
  Result<Position> nth(std::uint64_t ordinal);  // from 1

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  // The first chunk whose last position is >= the one given; chunks() when there is none.
  Result<std::uint32_t> chunk_of(std::uint64_t position);
  Result<void> load(std::uint32_t chunk);

  const IndexReader* reader_;
  TermRow row_;
  std::optional<TreeCursor> cursor_;
  std::uint32_t loaded_ = kNone;
  ChunkList chunk_;
};

// The terms of a kind in byte order.
class IndexedTerms {
 public:
  // At the first text >= `from`, or behind it.
  enum class From : std::uint8_t { kAt, kBehind };
  static Result<IndexedTerms> begin(const IndexReader& reader, TermClass kind,
                                    std::string_view from, From where);
  bool at_end() const { return at_end_; }
  std::string_view text() const { return text_; }
  const TermRow& row() const { return row_; }
  Result<void> next();

 private:
  IndexedTerms(const IndexReader& reader, TermClass kind, TreeCursor cursor)
      : reader_(&reader), kind_(kind), cursor_(std::move(cursor)) {}
  Result<void> take(bool found);

  const IndexReader* reader_;
  TermClass kind_;
  TreeCursor cursor_;
  bool at_end_ = false;
  std::string text_;
  TermRow row_;
};

// Tracking sources behind `after`, in byte order, at most `limit` that begin with `prefix`.
Result<std::vector<std::pair<std::string, std::uint64_t>>> tracked_sources(
    const IndexReader& reader, std::string_view prefix, std::string_view after, std::size_t limit);

}  // namespace esdb::storage
