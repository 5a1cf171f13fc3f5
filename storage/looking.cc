#include "storage/looking.h"

#include <algorithm>
#include <optional>

#include "protocol/refusal.h"
#include "storage/hex.h"
#include "storage/query_walk.h"
#include "storage/reader.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kCountBytes = std::size_t{1} << 20;  // of one batch while counting

Result<Lookup> lookup_of(const Sources& sources) {
  return Lookup::begin(sources.log, sources.tail, sources.index);
}

Result<StreamInfo> info_of(const Sources& sources, std::string_view name, const TermHead& head) {
  StreamInfo info{.name = std::string(name),
                  .version = head.count,
                  .first_version = head.count > 0 ? 1 : 0,
                  .last_position = head.last};
  if (!head.last) return info;
  auto frame = sources.log.frame_of(head.last);
  if (!frame) return std::unexpected(frame.error());
  info.last_committed = frame->committed;
  return info;
}

// The one term that alone decides what a query finds; nothing where there is none. Its count is the
// answer then.
std::optional<TermRef> only_term(const Query& query) {
  if (query.items().size() != 1) return {};
  const auto& item = query.items().front();
  if (item.streams.size() + item.categories.size() + item.types.size() + item.tags.size() != 1)
    return {};
  if (!item.streams.empty()) return term(TermClass::kStream, item.streams.front());
  if (!item.categories.empty()) return term(TermClass::kCategory, item.categories.front());
  if (!item.types.empty()) return term(TermClass::kType, item.types.front());
  return term(TermClass::kTag, item.tags.front().text);
}

Result<std::uint64_t> count_by_reading(const Sources& sources, const Query& query, Position after) {
  Reader reader(Reader::Kind::kRead, query, {.start = Start::after(after)});
  std::uint64_t count = 0;
  for (;;) {
    auto batch = reader.read(sources, kCountBytes);
    if (!batch) return std::unexpected(batch.error());
    count += batch->size();
    if (batch->finished()) return count;
  }
}

}  // namespace

Result<StreamInfo> stream_info(const Sources& sources, std::string_view stream) {
  if (auto ok = protocol::check_stream_name(stream); !ok) return std::unexpected(ok.error());
  auto lookup = lookup_of(sources);
  if (!lookup) return std::unexpected(lookup.error());
  auto head = lookup->head(term(TermClass::kStream, stream));
  if (!head) return std::unexpected(head.error());
  return info_of(sources, stream, *head);
}

Result<StreamPage> streams(const Sources& sources, const PageRequest& page) {
  const auto limit = protocol::page_limit(page.limit);
  if (!limit) return std::unexpected(limit.error());
  auto lookup = lookup_of(sources);
  if (!lookup) return std::unexpected(lookup.error());
  auto rows = lookup->page(TermClass::kStream, page.prefix, page.after, *limit);
  if (!rows) return std::unexpected(rows.error());
  StreamPage found{.next = std::move(rows->next)};
  for (const auto& row : rows->rows) {
    auto info = info_of(sources, row.text, row.head);
    if (!info) return std::unexpected(info.error());
    found.streams.push_back(std::move(*info));
  }
  return found;
}

Result<TermPage> terms(const Sources& sources, TermKind kind, const PageRequest& page) {
  const auto limit = protocol::page_limit(page.limit);
  if (!limit) return std::unexpected(limit.error());
  const auto kinds = kind == TermKind::kCategory ? TermClass::kCategory
                     : kind == TermKind::kType   ? TermClass::kType
                                                 : TermClass::kTag;
  auto lookup = lookup_of(sources);
  if (!lookup) return std::unexpected(lookup.error());
  auto rows = lookup->page(kinds, page.prefix, page.after, *limit);
  if (!rows) return std::unexpected(rows.error());
  TermPage found{.next = std::move(rows->next)};
  for (auto& row : rows->rows)
    found.terms.push_back(
        {.text = std::move(row.text), .events = row.head.count, .last = row.head.last});
  return found;
}

Result<TrackingPage> tracking(const Sources& sources, const PageRequest& page) {
  const auto limit = protocol::page_limit(page.limit);
  if (!limit) return std::unexpected(limit.error());
  auto lookup = lookup_of(sources);
  if (!lookup) return std::unexpected(lookup.error());
  return lookup->tracking(page.prefix, page.after, *limit);
}

Result<std::uint64_t> tracked(const Sources& sources, std::string_view source) {
  if (auto ok = protocol::check_source_name(source); !ok) return std::unexpected(ok.error());
  auto lookup = lookup_of(sources);
  if (!lookup) return std::unexpected(lookup.error());
  return lookup->tracked(source);
}

Result<std::uint64_t> count(const Sources& sources, const Query& query, Position after) {
  if (auto ok = protocol::check_query(query); !ok) return std::unexpected(ok.error());
  const auto only = only_term(query);
  if (after || (!only && !is_everything(query))) return count_by_reading(sources, query, after);
  auto lookup = lookup_of(sources);
  if (!lookup) return std::unexpected(lookup.error());
  if (only) {
    auto head = lookup->head(*only);
    if (!head) return std::unexpected(head.error());
    return head->count;
  }
  auto system = lookup->system_event_count();
  if (!system) return system;
  return lookup->position().value - *system;
}

Result<Statistics> statistics(const Sources& sources) {
  const auto& log = sources.log;
  Statistics found{.store_id = to_text(log.store_id()),
                   .epoch_id = to_text(log.epoch_id()),
                   .durable = log.durable(),
                   .bytes = log.bytes(),
                   .segments = log.segments()};
  found.indexed = sources.index != nullptr ? sources.index->indexed().last : found.durable;
  // Of the last frame, not of the last event: tracking alone is a commit too.
  auto frame = log.frame(log.durable_frame());
  if (!frame) return std::unexpected(frame.error());
  if (*frame) found.last_committed = (*frame)->committed;
  auto lookup = lookup_of(sources);
  if (!lookup) {
    // While the index is rebuilt, or cannot be, the rest is told all the same.
    if (lookup.error().code == ErrorCode::kUnavailable ||
        lookup.error().code == ErrorCode::kCorrupt)
      return found;
    return std::unexpected(lookup.error());
  }
  auto streams = lookup->stream_count();
  if (!streams) return std::unexpected(streams.error());
  auto system = lookup->system_event_count();
  if (!system) return std::unexpected(system.error());
  found.streams = *streams;
  found.events = found.durable.value - std::min(*system, found.durable.value);
  return found;
}

}  // namespace esdb::storage
