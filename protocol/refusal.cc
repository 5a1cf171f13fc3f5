#include "protocol/refusal.h"

#include <algorithm>

#include "esdb/limits.h"
#include "protocol/encoded_append.h"
#include "protocol/text.h"

namespace esdb::protocol {
namespace {

// What one message tells; Error::violations tells all.
constexpr std::size_t kToldMax = 8;
constexpr std::size_t kToldBytesMax = 1024;

std::string found(std::string text) { return " (found " + std::move(text) + ")"; }

std::string in_words(const Check& check) {
  switch (check.kind) {
    case Check::Kind::kUnchanged:
      return "unchanged " + to_string(check.query) + " after " + to_string(check.after);
    case Check::Kind::kAbsent:
      return "absent " + to_string(check.query);
    case Check::Kind::kStream:
      break;
  }
  switch (check.expect.kind()) {
    case Expect::Kind::kNone:
      return "stream " + check.name + " not written";
    case Expect::Kind::kExists:
      return "stream " + check.name + " written";
    case Expect::Kind::kExactly:
      return "stream " + check.name + " at version " + to_string(check.expect.version());
    case Expect::Kind::kAny:
      break;
  }
  return "stream " + check.name;
}

Result<void> check_names(const std::vector<std::string>& names, const TextRule& rule) {
  if (names.size() > kQueryNamesMax)
    return too_large(std::string(rule.field) + ": " + std::to_string(names.size()) +
                     " in one item, and at most " + std::to_string(kQueryNamesMax) +
                     " are accepted");
  for (const auto& name : names)
    if (auto ok = check_text(name, rule); !ok) return ok;
  return {};
}

Result<void> check_item(const QueryItem& item) {
  if (auto ok = check_names(item.streams, {.field = "query: stream", .bytes_max = kStreamBytesMax});
      !ok)
    return ok;
  if (auto ok =
          check_names(item.categories, {.field = "query: category", .bytes_max = kStreamBytesMax});
      !ok)
    return ok;
  if (auto ok = check_names(item.types, {.field = "query: type", .bytes_max = kTypeBytesMax}); !ok)
    return ok;
  if (item.tags.size() > kQueryNamesMax)
    return too_large("query: tag: " + std::to_string(item.tags.size()) +
                     " in one item, and at most " + std::to_string(kQueryNamesMax) +
                     " are accepted");
  for (const auto& tag : item.tags)
    if (auto ok = check_text(
            tag.text, {.field = "query: tag", .bytes_max = kTagBytesMax, .control_allowed = true});
        !ok)
      return ok;
  return {};
}

}  // namespace

Result<void> check_query(const Query& query) {
  if (query.items().empty())
    return invalid("query: it asks for nothing; everything() asks for all events");
  if (query.items().size() > kQueryItemsMax)
    return too_large("query: " + std::to_string(query.items().size()) + " items, and at most " +
                     std::to_string(kQueryItemsMax) + " are accepted");
  for (const auto& item : query.items())
    if (auto ok = check_item(item); !ok) return ok;
  return {};
}

Result<void> check_stream_name(std::string_view name) {
  return check_text(name, {.field = "stream", .bytes_max = kStreamBytesMax});
}

Result<void> check_source_name(std::string_view name) {
  return check_text(
      name, {.field = "tracking source", .bytes_max = kSourceBytesMax, .control_allowed = true});
}

Result<std::size_t> page_limit(std::size_t asked) {
  if (asked == 0) return invalid("limit: 0; a page has at least one row");
  return std::min(asked, kPageMax);
}

Result<void> check_sizes(const EncodedAppend& append, std::size_t event_bytes_max,
                         std::size_t append_bytes_max) {
  const auto& parts = *append.parts;
  if (parts.event_bytes_max > event_bytes_max)
    return too_large("event: " + std::to_string(parts.event_bytes_max) +
                     " bytes as encoded, and at most " + std::to_string(event_bytes_max) +
                     " are accepted by this store");
  if (parts.event_bytes > append_bytes_max)
    return too_large("append: its events have " + std::to_string(parts.event_bytes) +
                     " bytes as encoded, and at most " + std::to_string(append_bytes_max) +
                     " are accepted by this store; write them in several appends");
  return {};
}

Result<void> check_read(const Query& query, const ReadOptions& options) {
  if (auto ok = check_query(query); !ok) return ok;
  const bool backwards = options.direction == Direction::kBackwards;
  if (backwards && options.start.kind == Start::Kind::kTime)
    return invalid("start: since() is for reading forwards; until bounds a read backwards");
  if (backwards && options.start.kind == Start::Kind::kEnd)
    return invalid("start: end() is for reading forwards; backwards, beginning() is the newest");
  if (options.start.kind == Start::Kind::kVersion && one_stream_of(query).empty())
    return invalid("start: after_version() needs a query of one stream, not \"" +
                   shown(to_string(query)) + "\"");
  return {};
}

std::string_view one_stream_of(const Query& query) {
  std::string_view name;
  for (const auto& item : query.items()) {
    if (item.streams.size() != 1 || !item.categories.empty()) return {};
    if (!name.empty() && name != item.streams.front()) return {};
    name = item.streams.front();
  }
  return name;
}

bool names_system_stream(const QueryItem& item) {
  const auto system = [](const std::string& name) { return name.starts_with('$'); };
  return std::ranges::any_of(item.streams, system) || std::ranges::any_of(item.categories, system);
}

Violation stream_violation(std::size_t check, const Check& violated, Version actual) {
  return {.check = check, .what = in_words(violated), .actual = actual};
}

Violation query_violation(std::size_t check, const Check& violated, Position conflicting) {
  return {.check = check, .what = in_words(violated), .conflicting = conflicting};
}

bool tracking_holds(const Tracking& asked, std::uint64_t stored) {
  return asked.position > stored && asked.after.value_or(stored) == stored;
}

Violation tracking_violation(const Tracking& asked, std::uint64_t stored) {
  const auto after = asked.after ? " after " + std::to_string(*asked.after) : std::string{};
  return {.check = Violation::kTrackingCheck,
          .what = "tracking " + shown(asked.source, kSourceBytesMax) + " at " +
                  std::to_string(asked.position) + after,
          .conflicting = stored};
}

Error not_appended(std::vector<Violation> violations, const std::vector<Check>& checks) {
  Error error{.code = ErrorCode::kConflict, .message = "not appended:"};
  std::size_t told = 0;
  for (const auto& violation : violations) {
    std::string what = shown(violation.what, kToldBytesMax);
    if (violation.check == Violation::kTrackingCheck) {
      error.code = ErrorCode::kAlreadyTracked;
      what += found(to_string(violation.conflicting));
    } else if (checks[violation.check].kind == Check::Kind::kStream) {
      what += violation.actual ? found(to_string(violation.actual)) : found("nothing");
    } else {
      if (checks[violation.check].kind == Check::Kind::kAbsent &&
          error.code != ErrorCode::kAlreadyTracked)
        error.code = ErrorCode::kAlreadyExists;
      what += found("position " + to_string(violation.conflicting));
    }
    if (++told <= kToldMax) error.message += " [" + what + "]";
  }
  if (told > kToldMax) error.message += " and " + std::to_string(told - kToldMax) + " more";
  error.violations = std::move(violations);
  return error;
}

Error id_conflict(const EventId& id, Position position) {
  return {.code = ErrorCode::kIdConflict,
          .message = "not appended: id " + to_string(id) + " is in the log at position " +
                     to_string(position) +
                     ", but not as this append; a retry repeats an append as it was, and a new "
                     "event has a new id"};
}

Error beyond_the_log(std::string_view what, Position asked, Position durable) {
  return {.code = ErrorCode::kOtherStore,
          .message = std::string(what) + ": position " + to_string(asked) +
                     " lies beyond the end of the log at " + to_string(durable) +
                     "; it was written down in another store, or before this one was restored"};
}

Error beyond_the_stream(std::string_view stream, Version asked, Version found_version) {
  return {.code = ErrorCode::kOtherStore,
          .message = "start: version " + to_string(asked) + " lies beyond the end of stream " +
                     std::string(stream) + " at " + to_string(found_version) +
                     "; it was written down in another store, or before this one was restored"};
}

Error of_another_store(const Checkpoint& asked, std::string_view store_id) {
  return {.code = ErrorCode::kOtherStore,
          .message = "start: the checkpoint is of store " + shown(asked.store_id) +
                     ", and this is store " + std::string(store_id) +
                     "; rebuild from the beginning what was kept with it"};
}

Error of_another_epoch(const Checkpoint& asked, std::string_view epoch_id) {
  return {.code = ErrorCode::kOtherStore,
          .message = "start: the checkpoint at position " + to_string(asked.position) +
                     " is of epoch " + shown(asked.epoch_id) + ", and here that position is of " +
                     std::string(epoch_id) +
                     "; the store was restored since: rebuild from the beginning"};
}

}  // namespace esdb::protocol
