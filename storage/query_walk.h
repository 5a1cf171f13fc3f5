// A query walked over terms: the positions that may match it, in order, found by intersecting its
// terms' postings, rarest first.
//
// What it gives is a superset in one respect: an item that names a stream or category of the system
// is walked by that part alone, because the system's events are not indexed under types and tags. A
// reader checks every hit against its record anyway.
//
// Threads: one; valid while its Lookup is.
#pragma once

#include <cstdint>
#include <vector>

#include "esdb/query.h"
#include "storage/lookup.h"

namespace esdb::storage {

// esdb::everything(), and nothing else: one item that names nothing.
bool is_everything(const Query& query);

class QueryWalk {
 public:
  static Result<QueryWalk> over(const Query& query, Lookup& lookup);

  // The first candidate >= / the last candidate <= the position given; 0: none.
  Result<Position> seek(Position at_or_after);
  Result<Position> seek_back(Position at_or_before);

  // No more events than this match, in the whole log; ~0 where the query holds an item that names
  // nothing, which no term finds: then the walk is over every event (use the log's order instead).
  std::uint64_t at_most() const { return at_most_; }
  bool is_everything() const { return at_most_ == ~std::uint64_t{0}; }

 private:
  enum class Way : std::uint8_t { kUp, kDown };
  struct Union {  // any of them will do
    std::vector<Postings> terms{};
    std::uint64_t count{};
  };
  struct Item {                  // all of them must hold
    std::vector<Union> parts{};  // rarest first
    Position at{};               // its candidate as last found, and the bound it was found for
    Position bound{};
    bool known = false;
  };
  static Result<Item> item_over(const QueryItem& item, Lookup& lookup);
  static Result<Position> next_of(Union& any, Position from, Way way);
  static Result<Position> next_of(Item& item, Position from, Way way);
  Result<Position> next(Position from, Way way);

  std::vector<Item> items_;
  std::uint64_t at_most_ = 0;
  Way way_ = Way::kUp;
};

}  // namespace esdb::storage
