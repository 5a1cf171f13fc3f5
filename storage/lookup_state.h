// What a Lookup and its Postings are made of; for lookup.cc and lookup_pages.cc.
//
// Threads: one.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/generation.h"
#include "storage/index.h"
#include "storage/index_reader.h"
#include "storage/lookup.h"

namespace esdb::storage {

struct Lookup::State {
  LookupBound bound{};
  bool is_beyond_list = false;  // the bound: what lies at it may be in the index alone
  std::shared_ptr<const Generations> list;
  std::size_t indexed = 0;              // so many of the list's oldest are in the index
  Index* unread = nullptr;              // the index, as long as nothing was looked up in it
  std::optional<Index::Lease> index{};  // nothing in a store without files

  // Oldest first, without those in the index.
  std::span<const std::shared_ptr<const Generation>> generations() const {
    return std::span(*list).subspan(indexed);
  }
  // Without the one that is being written, where the index has this term's part of it already.
  std::span<const std::shared_ptr<const Generation>> generations(const TermRef& term) const;
  // The generation that the index has a part of: the first of generations(). Nothing: there is
  // none, or it is younger than the list.
  const Generation* in_parts() const;
  Result<void> read(Index& from);
  Result<void> read_when_needed() { return unread != nullptr ? read(*unread) : Result<void>(); }
};

// The postings of one term: parts in order of position. Every part lies wholly behind the one
// before it.
struct Postings::Source {
  struct TailPart {
    TailPostings::View view{};
    std::uint64_t base{};
    std::uint32_t hint = 0;  // where the last search ended
  };
  std::optional<IndexedPostings> indexed{};  // the oldest part
  std::vector<TailPart> tail{};
  std::uint64_t first_ordinal = 1;  // of the oldest part's first position
  std::uint64_t count = 0;
};

}  // namespace esdb::storage
