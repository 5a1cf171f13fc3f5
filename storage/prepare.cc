#include "storage/prepare.h"

#include <algorithm>
#include <array>
#include <memory_resource>
#include <unordered_map>
#include <unordered_set>

#include "esdb/implement.h"
#include "protocol/encoded_event.h"
#include "protocol/refusal.h"
#include "storage/check.h"
#include "storage/query_walk.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kCompareBytes = std::size_t{1} << 20;

struct IdHash {
  std::size_t operator()(const EventId& id) const {
    std::size_t hash = 0;
    for (const auto byte : id.bytes) hash = hash * 131 + static_cast<std::size_t>(byte);
    return hash;
  }
};

// Streams by name, each once. Appends mostly write one stream many times in a row, or a few.
class StreamTable {
 public:
  explicit StreamTable(Prepared& prepared) : prepared_(prepared) {}

  std::size_t index_of(std::string_view name) {
    auto& streams = prepared_.streams;
    if (!streams.empty() && streams[last_].name.text == name) return last_;
    if (const auto known = find(name)) return last_ = *known;
    last_ = streams.size();
    streams.push_back({.name = term(TermClass::kStream, name),
                       .category = term(TermClass::kCategory, category_of(name))});
    if (streams.size() > kFew)
      for (std::size_t i = by_name_.size(); i <= last_; ++i)
        by_name_.emplace(streams[i].name.text, i);
    return last_;
  }

 private:
  static constexpr std::size_t kFew = 8;  // so many are looked through, more are hashed

  std::optional<std::size_t> find(std::string_view name) const {
    const auto& streams = prepared_.streams;
    if (streams.size() > kFew) {
      const auto at = by_name_.find(name);
      return at == by_name_.end() ? std::nullopt : std::optional(at->second);
    }
    for (std::size_t i = 0; i < streams.size(); ++i)
      if (streams[i].name.text == name) return i;
    return std::nullopt;
  }

  Prepared& prepared_;
  std::array<std::byte, 4096> few_;
  std::pmr::monotonic_buffer_resource memory_{few_.data(), few_.size()};
  std::pmr::unordered_map<std::string_view, std::size_t> by_name_{
      &memory_};  // all of them, or none
  std::size_t last_ = 0;
};

void name_terms(Request& request) {
  const Parts& parts = *request.parts;
  Prepared& prepared = request.prepared;
  StreamTable streams(prepared);
  prepared.tags.reserve(parts.tag_views.size());  // spans into it stay valid
  prepared.events.reserve(parts.events.size());
  prepared.checks.reserve(parts.checks.size());
  TermRef type{};
  for (const auto& event : parts.events) {
    const auto begin = prepared.tags.size();
    for (const auto tag : event.tags) prepared.tags.push_back(term(TermClass::kTag, tag));
    if (type.text != event.type) type = term(TermClass::kType, event.type);
    prepared.events.push_back({.stream = streams.index_of(event.stream),
                               .type = type,
                               .tags = std::span(prepared.tags).subspan(begin)});
  }
  request.written.clear();
  request.written.reserve(prepared.streams.size());
  for (const auto& stream : prepared.streams)
    request.written.push_back({.stream = std::string(stream.name.text)});
  for (const auto& check : parts.checks)
    prepared.checks.push_back(
        {.stream = check.kind == Check::Kind::kStream ? streams.index_of(check.name) : 0});
}

// The first event in (after, up_to] that matches; 0: none.
Result<Position> first_match(const Query& query, Position after, Lookup& lookup, const Log& log) {
  const auto none = [&](const TermRef& term) { return lookup.tells_none_above(term, after); };
  if (after >= lookup.position() || finds_none(query, none)) return Position{};
  auto walk = QueryWalk::over(query, lookup);
  if (!walk) return std::unexpected(walk.error());
  for (Position from = after.value + 1; from <= lookup.position();) {
    auto found = walk->seek(from);
    if (!found) return found;
    if (!*found || *found > lookup.position()) return Position{};
    BatchMemory memory;
    const Position at[] = {*found};
    auto read = log.read_each(at, {.bytes = 1}, memory);
    if (!read) return std::unexpected(read.error());
    if (query.matches(RecordedEvent(&memory.stored.front()))) return *found;
    from = found->value + 1;
  }
  return Position{};
}

bool same_event(const RecordedEvent::Stored& stored, const Parts::Event& event) {
  return stored.id == event.id && protocol::stream_of(stored.encoded) == event.stream &&
         protocol::type_of(stored.encoded) == event.type &&
         protocol::data_of(stored.encoded) == protocol::data_of(event.encoded);
}

// Compares the commit that holds `position` with the request's events.
Result<void> compare_commit(Position position, const Parts& parts, const Log& log,
                            Prepared& prepared) {
  BatchMemory one;
  const Position at[] = {position};
  if (auto read = log.read_each(at, {.bytes = 1}, one); !read) return std::unexpected(read.error());
  CommitSpan commit{.first = position.value - one.stored.front().ordinal};
  std::unordered_set<EventId, IdHash> ids;
  for (const auto& event : parts.events) ids.insert(event.id);

  bool same = true;
  bool ended = false;
  std::size_t index = 0;
  std::uint64_t events_max = parts.events.size() + 1;
  std::optional<Prepared::Conflict> foreign;  // one of the request's ids, in this commit
  for (Position after = commit.first.value - 1; after < log.durable() && !ended;) {
    BatchMemory memory;
    auto read = log.read_forwards(after, log.durable(),
                                  {.bytes = kCompareBytes, .events = events_max}, memory);
    if (!read) return std::unexpected(read.error());
    for (const auto& stored : memory.stored) {
      same = same && index < parts.events.size() && same_event(stored, parts.events[index]);
      if (!foreign && ids.contains(stored.id))
        foreign = {.id = stored.id, .position = stored.position};
      ++index;
      commit.last = stored.position;
      same = same && (!stored.ends_append || index == parts.events.size());
      ended = stored.ends_append || (!same && foreign && commit.last >= position);
      if (ended) break;
    }
    after = *read;
    events_max = ~std::uint64_t{0};
  }
  if (same && ended)
    prepared.retry_of = commit;
  else if (!prepared.id_conflict)
    prepared.id_conflict = foreign;
  return {};
}

// The first event that violates a stream check at the prepared head; 0: none does.
Result<Position> first_violating(const Check& check, const Prepared::Stream& stream,
                                 Lookup& lookup) {
  const Version expected = check.expect.version();
  const bool counts =
      check.expect.kind() == Expect::Kind::kNone || check.expect.kind() == Expect::Kind::kExactly;
  if (!counts || stream.head.version <= expected) return Position{};
  auto postings = lookup.postings(stream.name);
  if (!postings) return std::unexpected(postings.error());
  return postings->nth(expected.value + 1);
}

Result<void> prepare_check(std::size_t index, Request& request, Lookup& lookup,
                           const Sources& sources) {
  auto& prepared = request.prepared;
  const auto& check = request.parts->checks[index];
  auto& of_check = prepared.checks[index];
  Result<Position> violating = Position{};
  if (check.kind == Check::Kind::kStream) {
    violating = first_violating(check, prepared.streams[of_check.stream], lookup);
  } else {
    if (check.after > lookup.position()) {
      if (!prepared.other_store)
        prepared.other_store = protocol::beyond_the_log("check " + std::to_string(index),
                                                        check.after, lookup.position());
      return {};
    }
    violating = first_match(check.query, check.after, lookup, sources.log);
    if (violating) of_check.conflicting = *violating;
  }
  if (!violating) return std::unexpected(violating.error());
  if (!*violating || prepared.retry_of || request.parts->events.empty()) return {};
  return compare_commit(*violating, *request.parts, sources.log, prepared);
}

// What the window of ids no longer shows whole. Not yet durable: the writer asks again.
Result<void> prepare_comparison(Request& request, const Sources& sources) {
  auto& prepared = request.prepared;
  if (!request.compare || request.compare > prepared.position) return {};
  if (auto ok = compare_commit(request.compare, *request.parts, sources.log, prepared); !ok)
    return ok;
  prepared.compared = prepared.retry_of || prepared.id_conflict;
  if (prepared.compared) return {};
  return std::unexpected(
      Error{.code = ErrorCode::kCorrupt,
            .message = "append: position " + to_string(request.compare) +
                       " holds another id than its segment's footer says; run esctl verify"});
}

}  // namespace

Result<void> prepare(Request& request, const Sources& sources) {
  auto& prepared = request.prepared;
  prepared.clear();
  auto lookup = Lookup::begin_with_tail(sources.log, sources.tail, sources.index);
  if (!lookup) return std::unexpected(lookup.error());
  prepared.frame = lookup->frame();
  prepared.position = lookup->position();
  name_terms(request);
  auto& streams = prepared.streams;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    look_ahead(i, streams.size(), [&](std::size_t at, Prefetch what) {
      lookup->prefetch_head(streams[at].name, what);
    });
    auto head = lookup->head(streams[i].name);
    if (!head) return std::unexpected(head.error());
    streams[i].head = {.version = head->count, .last = head->last};
  }
  for (const auto& tracking : request.parts->tracking) {
    auto stored = lookup->tracked(tracking.source);
    if (!stored) return std::unexpected(stored.error());
    prepared.tracked.push_back(*stored);
  }
  if (auto ok = prepare_comparison(request, sources); !ok) return ok;
  for (std::size_t i = 0; i < request.parts->checks.size(); ++i)
    if (auto ok = prepare_check(i, request, *lookup, sources); !ok) return ok;
  return {};
}

Result<Appended> repeated(const CommitSpan& commit, const Log& log) {
  ESDB_CHECK(commit.last <= log.durable());
  Appended appended{.first = commit.first, .last = commit.last, .repeated = true};
  std::unordered_map<std::string, std::size_t> by_name;
  for (Position after = commit.first.value - 1; after < commit.last;) {
    BatchMemory memory;
    auto read = log.read_forwards(after, commit.last, {.bytes = kCompareBytes}, memory);
    if (!read) return std::unexpected(read.error());
    for (const auto& stored : memory.stored) {
      appended.committed = stored.committed;
      const auto [at, added] = by_name.try_emplace(std::string(protocol::stream_of(stored.encoded)),
                                                   appended.streams.size());
      if (added) appended.streams.push_back({.stream = at->first});
      appended.streams[at->second].version = stored.version;
    }
    after = *read;
  }
  return appended;
}

}  // namespace esdb::storage
