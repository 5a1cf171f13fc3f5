#include "esdb/query.h"

#include <algorithm>

namespace esdb {
namespace {

bool holds_name(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool matches_item(const QueryItem& item, const RecordedEvent& event,
                  const std::vector<std::string_view>& tags) {
  const auto stream = event.stream();
  if (item.streams.empty() && item.categories.empty()) {
    if (stream.starts_with('$')) return false;
  } else if (!holds_name(item.streams, stream) &&
             !holds_name(item.categories, category_of(stream))) {
    return false;
  }
  if (!item.types.empty() && !holds_name(item.types, event.type())) return false;
  return std::ranges::all_of(
      item.tags, [&](const Tag& tag) { return std::ranges::find(tags, tag.text) != tags.end(); });
}

}  // namespace

Query Query::types(std::vector<std::string> names) && {
  if (names.empty()) return std::move(*this);
  std::erase_if(items_, [&](QueryItem& item) {
    if (item.types.empty()) {
      item.types = names;
      return false;
    }
    std::erase_if(item.types, [&](const std::string& type) { return !holds_name(names, type); });
    return item.types.empty();  // no type is both: this item finds nothing
  });
  return std::move(*this);
}

Query Query::tagged(std::vector<Tag> tags) && {
  for (auto& item : items_) item.tags.insert(item.tags.end(), tags.begin(), tags.end());
  return std::move(*this);
}

Query operator|(Query a, const Query& b) {
  a.items_.insert(a.items_.end(), b.items_.begin(), b.items_.end());
  return a;
}

bool Query::matches(const RecordedEvent& event) const {
  const auto tags = event.tags();
  return std::ranges::any_of(
      items_, [&](const QueryItem& item) { return matches_item(item, event, tags); });
}

Query everything() { return Query(QueryItem{}); }
Query stream(std::string name) { return Query(QueryItem{.streams = {std::move(name)}}); }
Query category(std::string name) { return Query(QueryItem{.categories = {std::move(name)}}); }
Query types(std::vector<std::string> names) { return Query(QueryItem{.types = std::move(names)}); }
Query tagged(std::vector<Tag> tags) { return Query(QueryItem{.tags = std::move(tags)}); }

std::string_view category_of(std::string_view stream) { return stream.substr(0, stream.find('-')); }

}  // namespace esdb
