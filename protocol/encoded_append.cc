#include "protocol/encoded_append.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "esdb/limits.h"
#include "protocol/encoded_event.h"
#include "protocol/event.capnp.h"
#include "protocol/refusal.h"
#include "protocol/text.h"

namespace esdb {
namespace {

using protocol::EventFields;
using protocol::invalid;
using protocol::too_large;
using Parts = EncodedAppend::Parts;
using CheckReader = protocol::Append::Check::Reader;
using CheckBuilder = protocol::Append::Check::Builder;

constexpr std::size_t kWordBytes = sizeof(capnp::word);
// On the stack: the fields of a few events while they are encoded or looked at.
constexpr std::size_t kScratchBytes = 4096;
// An encoded event and its place in the list are no shorter.
constexpr std::size_t kListedEventBytesMin = 96;

// ---- form and limits, shared by both ways in

// "events[2]." in front of what is wrong with one of several.
std::unexpected<Error> at(std::string_view list, std::size_t index, std::size_t count,
                          Error error) {
  if (count > 1) error.message.insert(0, std::string(list) + "[" + std::to_string(index) + "].");
  return std::unexpected(std::move(error));
}

Result<void> check_counts(std::size_t events, std::size_t checks, std::size_t tracking) {
  if (events == 0 && tracking == 0)
    return invalid("append: it holds neither events nor tracking, so nothing would be written");
  if (checks > kChecksMax)
    return too_large("checks: " + std::to_string(checks) + ", and at most " +
                     std::to_string(kChecksMax) + " are accepted");
  if (tracking > kTrackingMax)
    return too_large("tracking: " + std::to_string(tracking) + ", and at most " +
                     std::to_string(kTrackingMax) + " are accepted");
  return {};
}

Result<void> check_bytes(std::size_t bytes) {
  if (bytes > kAppendBytesCap)
    return too_large("append: " + std::to_string(bytes) + " bytes as encoded, and at most " +
                     std::to_string(kAppendBytesCap) + " are accepted");
  return {};
}

Result<void> check_check(const Check& check) {
  if (check.kind == Check::Kind::kStream)
    return protocol::check_text(
        check.name,
        {.field = "check: stream", .bytes_max = kStreamBytesMax, .system_allowed = false});
  if (auto ok = protocol::check_query(check.query); !ok) return ok;
  if (std::ranges::any_of(check.query.items(), protocol::names_system_stream))
    return invalid("query: \"" + protocol::shown(to_string(check.query)) +
                   "\" names a stream of the system, and checks do not see those");
  return {};
}

Result<void> check_checks(const std::vector<Check>& checks) {
  for (std::size_t i = 0; i < checks.size(); ++i)
    if (auto ok = check_check(checks[i]); !ok)
      return at("checks", i, checks.size(), std::move(ok.error()));
  return {};
}

Result<void> check_tracking(const std::vector<Tracking>& tracking) {
  for (std::size_t i = 0; i < tracking.size(); ++i) {
    if (auto ok = protocol::check_source_name(tracking[i].source); !ok)
      return at("tracking", i, tracking.size(), std::move(ok.error()));
    for (std::size_t j = 0; j < i; ++j)
      if (tracking[j].source == tracking[i].source)
        return invalid("tracking: source \"" + protocol::shown(tracking[i].source) +
                       "\" is named twice in one append");
  }
  return {};
}

Result<void> check_ids(std::span<const Parts::Event> events) {
  // Ids made one after the other grow, so that most appends need no sorting.
  const auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
  const bool grow = std::ranges::adjacent_find(events, [&](const auto& a, const auto& b) {
                      return !by_id(a, b);
                    }) == events.end();
  if (grow) return {};
  std::vector<EventId> ids(events.size());
  std::ranges::transform(events, ids.begin(), &Parts::Event::id);
  std::ranges::sort(ids);
  if (const auto twice = std::ranges::adjacent_find(ids); twice != ids.end())
    return invalid("events: id " + to_string(*twice) +
                   " is there twice in one append; every event has an id of its own");
  return {};
}

// ---- taking apart

EventFields fields_of(const NewEvent& event, std::pmr::memory_resource* memory) {
  EventFields fields{.id = event.id,
                     .time = event.time,
                     .stream = event.stream,
                     .type = event.type,
                     .data = event.data,
                     .metadata = event.metadata,
                     .content_type = event.content_type,
                     .tags = std::pmr::vector<std::string_view>(memory)};
  fields.tags.reserve(event.tags.size());
  for (const auto& tag : event.tags) fields.tags.push_back(tag.text);
  std::ranges::sort(fields.tags);
  fields.tags.erase(std::ranges::unique(fields.tags).begin(), fields.tags.end());
  return fields;
}

EventFields fields_of(std::span<const std::byte> encoded, std::pmr::memory_resource* memory) {
  return {.id = protocol::id_of(encoded),
          .time = protocol::time_of(encoded),
          .stream = protocol::stream_of(encoded),
          .type = protocol::type_of(encoded),
          .data = protocol::data_of(encoded),
          .metadata = protocol::metadata_of(encoded),
          .content_type = protocol::content_type_of(encoded),
          .tags = protocol::tags_of(encoded, memory)};
}

// Adds an event whose bytes stay where they are.
void add_event(Parts& parts, std::span<const std::byte> encoded, const EventFields& fields) {
  parts.events.push_back({.encoded = encoded,
                          .id = fields.id,
                          .stream = protocol::stream_of(encoded),
                          .type = protocol::type_of(encoded),
                          .hash = protocol::hash_of(encoded),
                          .fingerprint = protocol::fingerprint_of(encoded)});
  parts.event_bytes += encoded.size();
  parts.event_bytes_max = std::max(parts.event_bytes_max, encoded.size());
}

// The tags of all events lie in one array, which must not move once spans point into it.
void view_tags(Parts& parts) {
  std::size_t count = 0;
  for (const auto& event : parts.events) count += protocol::tag_count(event.encoded);
  parts.tag_views.reserve(count);
  for (auto& event : parts.events) {
    const std::size_t begin = parts.tag_views.size();
    for (std::size_t i = 0; i < protocol::tag_count(event.encoded); ++i)
      parts.tag_views.push_back(protocol::tag_at(event.encoded, i));
    event.tags = std::span(parts.tag_views).subspan(begin);
  }
}

// ---- encoding

std::size_t text_words(std::string_view text) {
  return text.empty() ? 0 : (text.size() + kWordBytes) / kWordBytes;  // with its zero byte
}

template <class Names>
std::size_t list_words(const Names& names) {
  std::size_t words = names.size();
  for (const auto& name : names) {
    if constexpr (std::is_same_v<std::decay_t<decltype(name)>, Tag>)
      words += text_words(name.text);
    else
      words += text_words(name);
  }
  return words;
}

std::size_t query_words(const Query& query) {
  std::size_t words = capnp::sizeInWords<protocol::Query>() + 1;
  for (const auto& item : query.items())
    words += capnp::sizeInWords<protocol::Query::Item>() + list_words(item.streams) +
             list_words(item.categories) + list_words(item.types) + list_words(item.tags);
  return words;
}

// Exactly what put_... use.
std::size_t words_of(const AppendRequest& request, std::span<const EventFields> events) {
  std::size_t words = 1 + capnp::sizeInWords<protocol::Append>();
  for (const auto& event : events) words += 1 + protocol::encoded_size(event) / kWordBytes;
  if (!request.checks.empty()) ++words;  // a list of structs begins with a word of its own
  for (const auto& check : request.checks)
    words +=
        capnp::sizeInWords<protocol::Append::Check>() +
        (check.kind == Check::Kind::kStream ? text_words(check.name) : query_words(check.query));
  if (!request.tracking.empty()) ++words;
  for (const auto& tracking : request.tracking)
    words += capnp::sizeInWords<protocol::Append::Tracking>() + text_words(tracking.source);
  return words;
}

capnp::Text::Reader text_of(const std::string& text) { return {text.c_str(), text.size()}; }
capnp::Text::Reader text_of(const Tag& tag) { return text_of(tag.text); }

template <class Names, class Init>
void put_names(const Names& names, Init init) {
  if (names.empty()) return;
  capnp::List<capnp::Text>::Builder list = init(static_cast<unsigned>(names.size()));
  for (unsigned i = 0; i < names.size(); ++i) list.set(i, text_of(names[i]));
}

void put_query(const Query& query, protocol::Query::Builder out) {
  auto items = out.initItems(static_cast<unsigned>(query.items().size()));
  for (unsigned i = 0; i < items.size(); ++i) {
    const auto& from = query.items()[i];
    auto item = items[i];
    put_names(from.streams, [&](unsigned n) { return item.initStreams(n); });
    put_names(from.categories, [&](unsigned n) { return item.initCategories(n); });
    put_names(from.types, [&](unsigned n) { return item.initTypes(n); });
    put_names(from.tags, [&](unsigned n) { return item.initTags(n); });
  }
}

void put_check(const Check& check, CheckBuilder out) {
  switch (check.kind) {
    case Check::Kind::kUnchanged: {
      auto unchanged = out.initUnchanged();
      put_query(check.query, unchanged.initQuery());
      unchanged.setAfter(check.after.value);
      return;
    }
    case Check::Kind::kAbsent:
      put_query(check.query, out.initAbsent());
      return;
    case Check::Kind::kStream:
      break;
  }
  auto stream = out.initStream();
  stream.setName(text_of(check.name));
  auto expect = stream.initExpect();
  switch (check.expect.kind()) {
    case Expect::Kind::kAny:
      return expect.setAny();
    case Expect::Kind::kNone:
      return expect.setNone();
    case Expect::Kind::kExists:
      return expect.setExists();
    case Expect::Kind::kExactly:
      return expect.setVersion(check.expect.version().value);
  }
}

// ---- reading what came from elsewhere

std::string string_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

// Untrusted lists: their length is looked at before anything of that length is made.
template <class Out>
Result<void> take_names(capnp::List<capnp::Text>::Reader names, std::vector<Out>& out) {
  if (names.size() > kQueryNamesMax)
    return too_large("query: " + std::to_string(names.size()) +
                     " names of a kind in one item, and at most " + std::to_string(kQueryNamesMax) +
                     " are accepted");
  for (const auto name : names) out.emplace_back(string_of(name));
  return {};
}

Result<Query> take_query(protocol::Query::Reader from) {
  const auto items = from.getItems();
  if (items.size() > kQueryItemsMax)
    return too_large("query: " + std::to_string(items.size()) + " items, and at most " +
                     std::to_string(kQueryItemsMax) + " are accepted");
  Query query;
  for (const auto from_item : items) {
    QueryItem item;
    if (auto ok = take_names(from_item.getStreams(), item.streams); !ok)
      return std::unexpected(std::move(ok.error()));
    if (auto ok = take_names(from_item.getCategories(), item.categories); !ok)
      return std::unexpected(std::move(ok.error()));
    if (auto ok = take_names(from_item.getTypes(), item.types); !ok)
      return std::unexpected(std::move(ok.error()));
    if (auto ok = take_names(from_item.getTags(), item.tags); !ok)
      return std::unexpected(std::move(ok.error()));
    query = std::move(query) | Query(std::move(item));
  }
  return query;
}

std::unexpected<Error> unknown_check() {
  return std::unexpected(
      Error{.code = ErrorCode::kUnsupported,
            .message = "check: of a kind that this version of esdb does not know"});
}

Result<Check> take_stream_check(protocol::Append::Check::Stream::Reader from) {
  std::string name = string_of(from.getName());
  const auto expect = from.getExpect();
  switch (expect.which()) {
    case protocol::Append::Check::Stream::Expect::ANY:
      return Check::stream(std::move(name), Expect::any());
    case protocol::Append::Check::Stream::Expect::NONE:
      return Check::stream(std::move(name), Expect::none());
    case protocol::Append::Check::Stream::Expect::EXISTS:
      return Check::stream(std::move(name), Expect::exists());
    case protocol::Append::Check::Stream::Expect::VERSION:
      return Check::stream(std::move(name), Expect::exactly(expect.getVersion()));
  }
  return unknown_check();
}

Result<Check> take_check(CheckReader from) {
  switch (from.which()) {
    case protocol::Append::Check::STREAM:
      return take_stream_check(from.getStream());
    case protocol::Append::Check::UNCHANGED: {
      const auto unchanged = from.getUnchanged();
      auto query = take_query(unchanged.getQuery());
      if (!query) return std::unexpected(std::move(query.error()));
      return Check::unchanged(*std::move(query), unchanged.getAfter());
    }
    case protocol::Append::Check::ABSENT: {
      auto query = take_query(from.getAbsent());
      if (!query) return std::unexpected(std::move(query.error()));
      return Check::absent(*std::move(query));
    }
  }
  return unknown_check();
}

// An event whose layout is not the accepted one: encoded anew at the end of parts.recoded.
struct Recoded {
  std::size_t index;
  std::size_t begin;
  EventFields fields;
};

Result<void> take_events(protocol::Append::Reader from, Parts& parts) {
  std::vector<Recoded> recoded;
  const auto events = from.getEvents();
  parts.events.reserve(
      std::min<std::size_t>(events.size(), parts.bytes.size() / kListedEventBytesMin));
  for (unsigned i = 0; i < events.size(); ++i) {
    std::array<std::byte, kScratchBytes> scratch;
    std::pmr::monotonic_buffer_resource memory(scratch.data(), scratch.size());
    const capnp::Data::Reader data = events[i];
    const std::span encoded(reinterpret_cast<const std::byte*>(data.begin()), data.size());
    const bool accepted = protocol::has_accepted_layout(encoded);
    Result<EventFields> fields = accepted ? Result<EventFields>(fields_of(encoded, &memory))
                                          : protocol::read_untrusted(encoded);
    if (!fields) return at("events", i, events.size(), std::move(fields.error()));
    if (auto ok = protocol::check_fields(*fields); !ok)
      return at("events", i, events.size(), std::move(ok.error()));
    if (accepted) {
      add_event(parts, encoded, *fields);
    } else {
      recoded.push_back({i, parts.recoded.size(), *fields});
      protocol::encode(*fields, parts.recoded);
      if (auto ok = check_bytes(parts.recoded.size()); !ok) return ok;
      parts.events.emplace_back();
    }
  }
  for (const auto& event : recoded) {
    const std::span all(std::as_const(parts.recoded));
    add_event(parts, all.subspan(event.begin, protocol::encoded_size(event.fields)), event.fields);
    parts.events[event.index] = parts.events.back();
    parts.events.pop_back();
  }
  return {};
}

Result<void> take_append(protocol::Append::Reader from, Parts& parts) {
  const auto checks = from.getChecks();
  const auto tracking = from.getTracking();
  if (auto ok = check_counts(from.getEvents().size(), checks.size(), tracking.size()); !ok)
    return ok;
  if (auto ok = take_events(from, parts); !ok) return ok;
  for (unsigned i = 0; i < checks.size(); ++i) {
    auto check = take_check(checks[i]);
    if (!check) return at("checks", i, checks.size(), std::move(check.error()));
    parts.checks.push_back(*std::move(check));
  }
  for (const auto one : tracking) {
    parts.tracking.push_back({.source = string_of(one.getSource()), .position = one.getPosition()});
    if (one.getHasAfter()) parts.tracking.back().after = one.getAfter();
  }
  if (auto ok = check_checks(parts.checks); !ok) return ok;
  return check_tracking(parts.tracking);
}

}  // namespace

Result<EncodedAppend> EncodedAppend::encode(const AppendRequest& request) {
  if (auto ok = check_counts(request.events.size(), request.checks.size(), request.tracking.size());
      !ok)
    return std::unexpected(std::move(ok.error()));
  std::array<std::byte, kScratchBytes> scratch;
  std::pmr::monotonic_buffer_resource memory(scratch.data(), scratch.size());
  std::pmr::vector<EventFields> events(&memory);
  events.reserve(request.events.size());
  for (std::size_t i = 0; i < request.events.size(); ++i) {
    events.push_back(fields_of(request.events[i], &memory));
    if (auto ok = protocol::check_fields(events.back()); !ok)
      return at("events", i, request.events.size(), std::move(ok.error()));
  }
  if (auto ok = check_checks(request.checks); !ok) return std::unexpected(std::move(ok.error()));
  if (auto ok = check_tracking(request.tracking); !ok)
    return std::unexpected(std::move(ok.error()));
  const std::size_t bytes = words_of(request, events) * kWordBytes;
  if (auto ok = check_bytes(bytes); !ok) return std::unexpected(std::move(ok.error()));

  auto parts = std::make_shared<Parts>();
  parts->bytes.resize(bytes);
  parts->events.reserve(events.size());
  capnp::FlatMessageBuilder message(
      kj::arrayPtr(reinterpret_cast<capnp::word*>(parts->bytes.data()), bytes / kWordBytes));
  auto append = message.initRoot<protocol::Append>();
  if (!events.empty()) {
    auto list = append.initEvents(static_cast<unsigned>(events.size()));
    for (unsigned i = 0; i < events.size(); ++i) {
      const std::size_t size = protocol::encoded_size(events[i]);
      auto* out = reinterpret_cast<std::byte*>(list.init(i, static_cast<unsigned>(size)).begin());
      protocol::encode(events[i], out);
      add_event(*parts, {out, size}, events[i]);
    }
  }
  if (!request.checks.empty()) {
    auto list = append.initChecks(static_cast<unsigned>(request.checks.size()));
    for (unsigned i = 0; i < list.size(); ++i) put_check(request.checks[i], list[i]);
  }
  if (!request.tracking.empty()) {
    auto list = append.initTracking(static_cast<unsigned>(request.tracking.size()));
    for (unsigned i = 0; i < list.size(); ++i) {
      list[i].setSource(text_of(request.tracking[i].source));
      list[i].setPosition(request.tracking[i].position);
      list[i].setHasAfter(request.tracking[i].after.has_value());
      list[i].setAfter(request.tracking[i].after.value_or(0));
    }
  }
  parts->checks = request.checks;
  parts->tracking = request.tracking;
  view_tags(*parts);
  if (auto ok = check_ids(parts->events); !ok) return std::unexpected(std::move(ok.error()));
  EncodedAppend encoded;
  encoded.parts = std::move(parts);
  return encoded;
}

Result<EncodedAppend> EncodedAppend::adopt(std::vector<std::byte> bytes) {
  if (auto ok = check_bytes(bytes.size()); !ok) return std::unexpected(std::move(ok.error()));
  if (bytes.empty() || bytes.size() % kWordBytes != 0)
    return invalid("append: " + std::to_string(bytes.size()) +
                   " bytes are no whole number of words");
  auto parts = std::make_shared<Parts>();
  parts->bytes = std::move(bytes);
  const auto segment = kj::arrayPtr(reinterpret_cast<const capnp::word*>(parts->bytes.data()),
                                    parts->bytes.size() / kWordBytes);
  const kj::ArrayPtr<const capnp::word> segments[] = {segment};
  Result<void> taken{};
  // What is walked is limited to what lies there, so that no byte can be made to count twice.
  auto failed = kj::runCatchingExceptions([&] {
    capnp::SegmentArrayMessageReader message(
        kj::arrayPtr(segments, 1),
        {.traversalLimitInWords = 2 * segment.size() + 64, .nestingLimit = 12});
    taken = take_append(message.getRoot<protocol::Append>(), *parts);
  });
  KJ_IF_MAYBE (exception, failed) {
    return invalid("append: the bytes are no encoded append: " +
                   protocol::shown(exception->getDescription().cStr()));
  }
  if (!taken) return std::unexpected(std::move(taken.error()));
  view_tags(*parts);
  if (auto ok = check_ids(parts->events); !ok) return std::unexpected(std::move(ok.error()));
  EncodedAppend adopted;
  adopted.parts = std::move(parts);
  return adopted;
}

std::span<const std::byte> EncodedAppend::bytes() const {
  return parts ? std::span<const std::byte>(parts->bytes) : std::span<const std::byte>();
}

}  // namespace esdb
