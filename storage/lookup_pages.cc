// The part of Lookup that lists: terms and tracking by prefix, and counts.
#include <algorithm>
#include <map>
#include <string>

#include "storage/lookup.h"
#include "storage/lookup_state.h"

namespace esdb::storage {

namespace {

// A place in one generation's terms of a kind, in byte order.
struct TermCursor {
  const Generation* generation{};
  std::shared_ptr<const std::vector<const TermNode*>> terms{};
  std::size_t at{};

  const TermNode* node(TermClass kind, std::string_view prefix) const {
    if (at == terms->size()) return nullptr;
    const TermNode* node = (*terms)[at];
    return node->kind == kind && node->text().starts_with(prefix) ? node : nullptr;
  }
};

TermCursor cursor_behind(const Generation& generation, TermClass kind, std::string_view prefix,
                         std::string_view after) {
  TermCursor cursor{.generation = &generation, .terms = generation.sorted_terms()};
  // Behind what was given, but not before the prefix.
  const bool behind = after >= prefix;
  const std::string_view from = behind ? after : prefix;
  const auto begin =
      std::partition_point(cursor.terms->begin(), cursor.terms->end(), [&](const TermNode* node) {
        if (node->kind != kind) return node->kind < kind;
        return behind ? node->text() <= from : node->text() < from;
      });
  cursor.at = static_cast<std::size_t>(begin - cursor.terms->begin());
  return cursor;
}

std::string_view least_text(const std::vector<TermCursor>& cursors, TermClass kind,
                            std::string_view prefix, bool& found) {
  std::string_view least;
  found = false;
  for (const auto& cursor : cursors) {
    const TermNode* node = cursor.node(kind, prefix);
    if (node == nullptr || (found && node->text() >= least)) continue;
    least = node->text();
    found = true;
  }
  return least;
}

bool hidden(TermClass kind, std::string_view text, std::string_view prefix) {
  const bool names_streams = kind == TermClass::kStream || kind == TermClass::kCategory;
  return names_streams && is_system(text) && !is_system(prefix);
}

}  // namespace

Result<Lookup::Page> Lookup::page(TermClass kind, std::string_view prefix, std::string_view after,
                                  std::size_t limit) {
  Page page;
  limit = std::clamp<std::size_t>(limit, 1, kPageMax);
  std::vector<TermCursor> cursors;
  for (const Generation* generation : state_->generations)
    cursors.push_back(cursor_behind(*generation, kind, prefix, after));
  for (;;) {
    bool found = false;
    const std::string_view text = least_text(cursors, kind, prefix, found);
    if (!found) return page;
    TermHead head;
    for (auto& cursor : cursors) {  // oldest first
      const TermNode* node = cursor.node(kind, prefix);
      if (node == nullptr || node->text() != text) continue;
      ++cursor.at;
      const auto view = cursor.generation->view(node->postings, state_->bound.position);
      if (view.count() == 0) continue;
      head.count = kind == TermClass::kStream ? node->first_version - 1 + view.count()
                                              : head.count + view.count();
      head.last = {cursor.generation->base() + view[view.count() - 1]};
    }
    if (head.count == 0 || hidden(kind, text, prefix)) continue;
    if (page.rows.size() == limit) {
      page.next = page.rows.back().text;
      return page;
    }
    page.rows.push_back({.text = std::string(text), .head = head});
  }
}

Result<TrackingPage> Lookup::tracking(std::string_view prefix, std::string_view after,
                                      std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, kPageMax);
  std::map<std::string_view, std::uint64_t> merged;
  for (const Generation* generation : state_->generations)  // a newer one's value counts
    for (const SourceNode* node : generation->sources())
      if (node->text().starts_with(prefix) && node->text() > after)
        if (const auto position = node->up_to(state_->bound.frame))
          merged[node->text()] = *position;
  TrackingPage page;
  for (const auto& [source, position] : merged) {
    if (page.sources.size() == limit) {
      page.next = page.sources.back().source;
      return page;
    }
    page.sources.push_back({.source = std::string(source), .position = position});
  }
  return page;
}

Result<std::uint64_t> Lookup::stream_count() {
  std::uint64_t count = 0;
  for (const Generation* generation : state_->generations)
    count += generation->view(generation->new_streams(), state_->bound.position).count();
  return count;
}

Result<std::uint64_t> Lookup::system_event_count() {
  std::uint64_t count = 0;
  for (const Generation* generation : state_->generations)
    count += generation->view(generation->system_events(), state_->bound.position).count();
  return count;
}

}  // namespace esdb::storage
