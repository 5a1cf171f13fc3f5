#include "storage/query_walk.h"

#include <algorithm>

#include "protocol/refusal.h"

namespace esdb::storage {
namespace {

constexpr std::uint64_t kEverything = ~std::uint64_t{0};

}  // namespace

bool is_everything(const Query& query) {
  if (query.items().size() != 1) return false;
  const auto& item = query.items().front();
  return item.streams.empty() && item.categories.empty() && item.types.empty() && item.tags.empty();
}

Result<QueryWalk> QueryWalk::over(const Query& query, Lookup& lookup) {
  QueryWalk walk;
  for (const auto& item : query.items()) {
    auto made = item_over(item, lookup);
    if (!made) return std::unexpected(made.error());
    if (made->parts.empty()) {
      walk.at_most_ = kEverything;
    } else if (walk.at_most_ != kEverything) {
      walk.at_most_ += made->parts.front().count;
    }
    walk.items_.push_back(std::move(*made));
  }
  return walk;
}

Result<QueryWalk::Item> QueryWalk::item_over(const QueryItem& item, Lookup& lookup) {
  Item made;
  const auto add = [&](Union& any, TermClass kind, std::string_view text) -> Result<void> {
    auto postings = lookup.postings(term(kind, text));
    if (!postings) return std::unexpected(postings.error());
    any.count += postings->count();
    if (postings->count() > 0) any.terms.push_back(std::move(*postings));
    return {};
  };
  if (!item.streams.empty() || !item.categories.empty()) {
    Union names;
    for (const auto& name : item.streams)
      if (auto ok = add(names, TermClass::kStream, name); !ok) return std::unexpected(ok.error());
    for (const auto& name : item.categories)
      if (auto ok = add(names, TermClass::kCategory, name); !ok) return std::unexpected(ok.error());
    made.parts.push_back(std::move(names));
  }
  if (protocol::names_system_stream(item)) return made;
  if (!item.types.empty()) {
    Union types;
    for (const auto& type : item.types)
      if (auto ok = add(types, TermClass::kType, type); !ok) return std::unexpected(ok.error());
    made.parts.push_back(std::move(types));
  }
  for (const auto& tag : item.tags) {
    Union one;
    if (auto ok = add(one, TermClass::kTag, tag.text); !ok) return std::unexpected(ok.error());
    made.parts.push_back(std::move(one));
  }
  std::ranges::sort(made.parts, {}, &Union::count);
  return made;
}

Result<Position> QueryWalk::next_of(Union& any, Position from, Way way) {
  Position best{};
  for (auto& postings : any.terms) {
    auto found = way == Way::kUp ? postings.seek(from) : postings.seek_back(from);
    if (!found) return found;
    if (!*found) continue;
    if (!best || (way == Way::kUp ? *found < best : *found > best)) best = *found;
  }
  return best;
}

// Leapfrog: every part is asked for its next position at or behind the candidate; a part that has
// none ends the item, one that jumps ahead makes a new candidate.
Result<Position> QueryWalk::next_of(Item& item, Position from, Way way) {
  if (item.parts.empty()) return from;
  Position candidate = from;
  for (std::size_t agreed = 0, part = 0; agreed < item.parts.size();
       part = (part + 1) % item.parts.size()) {
    auto found = next_of(item.parts[part], candidate, way);
    if (!found || !*found) return found;
    agreed = *found == candidate ? agreed + 1 : 1;
    candidate = *found;
  }
  return candidate;
}

Result<Position> QueryWalk::next(Position from, Way way) {
  if (way != way_) {
    for (auto& item : items_) item.known = false;
    way_ = way;
  }
  Position best{};
  for (auto& item : items_) {
    // What was found for an earlier bound still is the next one, unless the walk has passed it.
    const bool up = way == Way::kUp;
    const bool still = item.known && (up ? item.bound <= from : item.bound >= from) &&
                       (!item.at || (up ? item.at >= from : item.at <= from));
    if (!still) {
      auto found = next_of(item, from, way);
      if (!found) return found;
      item.at = *found;
      item.bound = from;
      item.known = true;
    }
    if (!item.at) continue;
    if (!best || (way == Way::kUp ? item.at < best : item.at > best)) best = item.at;
  }
  return best;
}

Result<Position> QueryWalk::seek(Position at_or_after) { return next(at_or_after, Way::kUp); }
Result<Position> QueryWalk::seek_back(Position at_or_before) {
  return next(at_or_before, Way::kDown);
}

}  // namespace esdb::storage
