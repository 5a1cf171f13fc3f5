// The part of Lookup that lists: terms and tracking by prefix, and counts.
#include <algorithm>
#include <map>
#include <string>

#include "storage/index_commit.h"
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
  // Behind the terms whose part of the generation is in the index.
  void skip_at_next(const MetaRow& meta) { at = std::max(at, terms_at_next(meta, *terms)); }
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

// Adds what the cursor's generation holds of the row's term, and moves the cursor on. From the
// oldest generation to the newest.
void add_to(Lookup::Row& row, TermCursor& cursor, TermClass kind, std::string_view prefix,
            Position bound) {
  const TermNode* node = cursor.node(kind, prefix);
  if (node == nullptr || node->text() != row.text) return;
  ++cursor.at;
  const auto view = cursor.generation->view(node->postings, bound);
  if (view.count() == 0) return;
  row.head.count = kind == TermClass::kStream ? node->first_version - 1 + view.count()
                                              : row.head.count + view.count();
  row.head.last = {cursor.generation->base() + view[view.count() - 1]};
}

constexpr std::string_view kBehindSystem = "%";  // the byte behind `$`

bool hidden(TermClass kind, std::string_view text, std::string_view prefix) {
  const bool names_streams = kind == TermClass::kStream || kind == TermClass::kCategory;
  return names_streams && is_system(text) && !is_system(prefix);
}

}  // namespace

Result<Lookup::Page> Lookup::page(TermClass kind, std::string_view prefix, std::string_view after,
                                  std::size_t limit) {
  Page page;
  limit = std::clamp<std::size_t>(limit, 1, kPageMax);
  const bool behind = after >= prefix;  // of what was given, but not before the prefix
  const std::string_view from = behind ? after : prefix;
  std::optional<IndexedTerms> indexed;
  const auto search = [&](std::string_view text, IndexedTerms::From where) -> Result<void> {
    auto terms = IndexedTerms::begin(**state_->index, kind, text, where);
    if (!terms) return std::unexpected(terms.error());
    indexed.emplace(std::move(*terms));
    return {};
  };
  if (state_->index)
    if (auto ok = search(
            from, behind && !from.empty() ? IndexedTerms::From::kBehind : IndexedTerms::From::kAt);
        !ok)
      return std::unexpected(ok.error());
  std::vector<TermCursor> cursors;
  for (const auto& generation : state_->generations()) {
    cursors.push_back(cursor_behind(*generation, kind, prefix, after));
    if (generation.get() == state_->in_parts())
      cursors.back().skip_at_next((*state_->index)->meta());
  }

  std::uint64_t rows = 0;  // of the index
  for (;;) {
    bool found = false;
    std::string text(least_text(cursors, kind, prefix, found));
    const bool more = indexed && !indexed->at_end() && indexed->text().starts_with(prefix);
    const bool in_index = more && (!found || indexed->text() <= text);
    if (in_index) text = indexed->text();
    if (!in_index && !found) break;
    Row row{.text = std::move(text)};
    if (in_index) {
      row.head = {.count = indexed->row().count, .last = {indexed->row().last()}};
      ++rows;
    }
    for (auto& cursor : cursors) add_to(row, cursor, kind, prefix, state_->bound.position);
    const bool hide = hidden(kind, row.text, prefix);
    // The category of a stream like "-1" has no name to be listed by, but its row counts.
    if (row.head.count > 0 && !hide && !row.text.empty()) {
      if (page.rows.size() == limit) {
        page.next = page.rows.back().text;
        return page;
      }
      page.rows.push_back(std::move(row));
    }
    if (!in_index) continue;
    if (hide) --rows;
    // Behind the system's names, however many there are.
    auto ok = hide ? search(kBehindSystem, IndexedTerms::From::kAt) : indexed->next();
    if (!ok) return std::unexpected(ok.error());
  }
  // A whole list must have as many as were ever written.
  if (indexed && from.empty() && rows != (*state_->index)->meta().*MetaRow::rows_of(kind))
    return (*state_->index)->damaged("terms are missing");
  return page;
}

Result<TrackingPage> Lookup::tracking(std::string_view prefix, std::string_view after,
                                      std::size_t limit) {
  limit = std::clamp<std::size_t>(limit, 1, kPageMax);
  std::map<std::string, std::uint64_t, std::less<>> merged;
  if (state_->index) {
    auto sources = tracked_sources(**state_->index, prefix, after, limit + 1);
    if (!sources) return std::unexpected(sources.error());
    merged.insert(sources->begin(), sources->end());
  }
  for (const auto& generation : state_->generations())  // a newer one's value counts
    for (const SourceNode* node : generation->sources())
      if (node->text().starts_with(prefix) && node->text() > after)
        if (const auto position = node->up_to(state_->bound.frame))
          merged.insert_or_assign(std::string(node->text()), *position);
  TrackingPage page;
  for (const auto& [source, position] : merged) {
    if (page.sources.size() == limit) {
      page.next = page.sources.back().source;
      return page;
    }
    page.sources.push_back({.source = source, .position = position});
  }
  return page;
}

Result<std::uint64_t> Lookup::stream_count() {
  std::uint64_t count = state_->index ? (*state_->index)->meta().streams_at_mark : 0;
  for (const auto& generation : state_->generations())
    count += generation->view(generation->new_streams(), state_->bound.position).count();
  return count;
}

Result<std::uint64_t> Lookup::system_event_count() {
  std::uint64_t count = state_->index ? (*state_->index)->meta().system_events : 0;
  for (const auto& generation : state_->generations())
    count += generation->view(generation->system_events(), state_->bound.position).count();
  return count;
}

}  // namespace esdb::storage
