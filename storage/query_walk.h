// A query walked over terms: the positions that may match it, in order, found by intersecting its
// terms' postings, rarest first.
//
// What it gives is a superset in one respect: an item that names a stream or category of the system
// is walked by that part alone, because the system's events are not indexed under types and tags. A
// reader checks every hit against its record anyway.
//
// Threads: one; valid while its Lookup is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "esdb/query.h"
#include "storage/lookup.h"

namespace esdb::storage {

// esdb::everything(), and nothing else: one item that names nothing.
bool is_everything(const Query& query);

// Whether terms alone tell that the query finds nothing above a position: `none` says of a term
// that no event above it carries it. So much is told without a walk, and an author who read up to
// the head mostly has no more than that to be judged by. For the queries of checks: they name no
// stream of the system, whose events carry no type and no tag.
template <class None>
bool finds_none(const QueryItem& item, None none) {
  const auto none_of = [&none](TermClass kind) {
    return [&none, kind](std::string_view text) { return none(term(kind, text)); };
  };
  const bool is_named = !item.streams.empty() || !item.categories.empty();
  if (is_named && std::ranges::all_of(item.streams, none_of(TermClass::kStream)) &&
      std::ranges::all_of(item.categories, none_of(TermClass::kCategory)))
    return true;
  if (!item.types.empty() && std::ranges::all_of(item.types, none_of(TermClass::kType)))
    return true;
  return std::ranges::any_of(item.tags, none_of(TermClass::kTag), &Tag::text);
}
template <class None>
bool finds_none(const Query& query, None none) {
  return std::ranges::all_of(query.items(),
                             [&none](const auto& item) { return finds_none(item, none); });
}

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
