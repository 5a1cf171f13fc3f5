#include "protocol/wire.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "esdb/limits.h"

namespace esdb::protocol {
namespace {

constexpr std::chrono::milliseconds kLongest = std::chrono::days{1};

// A std::string's text: Text wants the zero behind it.
capnp::Text::Reader text_of(const std::string& text) { return {text.c_str(), text.size()}; }

Time time_from(std::int64_t nanoseconds) { return Time{std::chrono::nanoseconds{nanoseconds}}; }
std::int64_t nanoseconds_of(Time time) { return time.time_since_epoch().count(); }

void put_names(const std::vector<std::string>& from, capnp::List<capnp::Text>::Builder to) {
  for (unsigned i = 0; i < to.size(); ++i) to.set(i, text_of(from[i]));
}

unsigned size_of(const auto& list) { return static_cast<unsigned>(list.size()); }

std::unexpected<esdb::Error> too_many(std::string what, std::size_t found, std::size_t limit) {
  return std::unexpected(esdb::Error{.code = ErrorCode::kTooLarge,
                                     .message = std::move(what) + ": " + std::to_string(found) +
                                                " given, at most " + std::to_string(limit)});
}

Result<std::vector<std::string>> get_names(capnp::List<capnp::Text>::Reader from,
                                           std::string_view what, std::size_t bytes_max) {
  if (from.size() > kQueryNamesMax)
    return too_many("query: " + std::string(what), from.size(), kQueryNamesMax);
  std::vector<std::string> names;
  names.reserve(from.size());
  for (auto name : from) {
    if (name.size() > bytes_max)
      return too_many("query: bytes of a name in " + std::string(what), name.size(), bytes_max);
    names.push_back(to_string(name));
  }
  return names;
}

Result<QueryItem> get_item(Query::Item::Reader from) {
  QueryItem item;
  auto streams = get_names(from.getStreams(), "streams", kStreamBytesMax);
  if (!streams) return std::unexpected(streams.error());
  auto categories = get_names(from.getCategories(), "categories", kStreamBytesMax);
  if (!categories) return std::unexpected(categories.error());
  auto types = get_names(from.getTypes(), "types", kTypeBytesMax);
  if (!types) return std::unexpected(types.error());
  auto tags = get_names(from.getTags(), "tags", kTagBytesMax);
  if (!tags) return std::unexpected(tags.error());
  item.streams = std::move(*streams);
  item.categories = std::move(*categories);
  item.types = std::move(*types);
  item.tags.reserve(tags->size());
  for (auto& tag : *tags) item.tags.emplace_back(std::move(tag));
  return item;
}

// The codes of error.h, by number: what another version may have added is not among them.
bool is_known(std::uint16_t code) {
  return (code >= 1 && code <= 6) || (code >= 10 && code <= 13) || (code >= 20 && code <= 27) ||
         (code >= 40 && code <= 43);
}

}  // namespace

void put(const esdb::Error& from, Error::Builder to) {
  to.setCode(static_cast<std::uint16_t>(from.code));
  to.setMessage(text_of(from.message));
  to.setDetail({reinterpret_cast<const kj::byte*>(from.detail.data()), from.detail.size()});
  auto violations = to.initViolations(size_of(from.violations));
  for (unsigned i = 0; i < violations.size(); ++i) {
    const auto& violation = from.violations[i];
    violations[i].setCheck(violation.check);
    violations[i].setWhat(text_of(violation.what));
    violations[i].setActual(violation.actual.value);
    violations[i].setConflicting(violation.conflicting.value);
  }
}

esdb::Error get(Error::Reader from) {
  esdb::Error error{.code = static_cast<ErrorCode>(from.getCode()),
                    .message = to_string(from.getMessage())};
  if (!is_known(from.getCode())) {
    error.code = ErrorCode::kUnsupported;
    error.message = "the server answered with error " + std::to_string(from.getCode()) +
                    ", which this version does not know (upgrade the client): " + error.message;
  }
  const auto detail = from.getDetail();
  error.detail.assign(reinterpret_cast<const char*>(detail.begin()), detail.size());
  for (auto violation : from.getViolations())
    error.violations.push_back({.check = violation.getCheck(),
                                .what = to_string(violation.getWhat()),
                                .actual = violation.getActual(),
                                .conflicting = violation.getConflicting()});
  return error;
}

void put(const esdb::Query& from, Query::Builder to) {
  auto items = to.initItems(size_of(from.items()));
  for (unsigned i = 0; i < items.size(); ++i) {
    const auto& item = from.items()[i];
    put_names(item.streams, items[i].initStreams(size_of(item.streams)));
    put_names(item.categories, items[i].initCategories(size_of(item.categories)));
    put_names(item.types, items[i].initTypes(size_of(item.types)));
    auto tags = items[i].initTags(size_of(item.tags));
    for (unsigned t = 0; t < tags.size(); ++t) tags.set(t, text_of(item.tags[t].text));
  }
}

Result<esdb::Query> get(Query::Reader from) {
  const auto items = from.getItems();
  if (items.size() > kQueryItemsMax) return too_many("query: items", items.size(), kQueryItemsMax);
  esdb::Query query;
  for (auto item : items) {
    auto one = get_item(item);
    if (!one) return std::unexpected(one.error());
    query = std::move(query) | esdb::Query(std::move(*one));
  }
  return query;
}

void put(const esdb::Checkpoint& from, Checkpoint::Builder to) {
  to.setStoreId(text_of(from.store_id));
  to.setEpochId(text_of(from.epoch_id));
  to.setPosition(from.position.value);
}

esdb::Checkpoint get(Checkpoint::Reader from) {
  return {.store_id = to_string(from.getStoreId()),
          .epoch_id = to_string(from.getEpochId()),
          .position = from.getPosition()};
}

void put(const esdb::Start& from, Start::Builder to) {
  using Kind = esdb::Start::Kind;
  switch (from.kind) {
    case Kind::kBeginning:
      return to.setBeginning();
    case Kind::kEnd:
      return to.setEnd();
    case Kind::kPosition:
      return to.setPosition(from.number);
    case Kind::kCheckpoint:
      return put(from.checkpoint, to.initCheckpoint());
    case Kind::kVersion:
      return to.setVersion(from.number);
    case Kind::kTime:
      return to.setTime(nanoseconds_of(from.time));
  }
}

Result<esdb::Start> get(Start::Reader from) {
  switch (from.which()) {
    case Start::BEGINNING:
      return esdb::Start::beginning();
    case Start::END:
      return esdb::Start::end();
    case Start::POSITION:
      return esdb::Start::after(Position{from.getPosition()});
    case Start::CHECKPOINT:
      return esdb::Start::after(get(from.getCheckpoint()));
    case Start::VERSION:
      return esdb::Start::after_version(from.getVersion());
    case Start::TIME:
      return esdb::Start::since(time_from(from.getTime()));
  }
  return std::unexpected(
      esdb::Error{.code = ErrorCode::kUnsupported,
                  .message = "a start of a kind that this version does not know: upgrade it"});
}

void put(const esdb::ReadOptions& from, ReadOptions::Builder to) {
  put(from.start, to.initStart());
  to.setBackwards(from.direction == Direction::kBackwards);
  to.setLimit(from.limit);
  to.setHasUpTo(from.up_to.has_value());
  if (from.up_to) to.setUpTo(from.up_to->value);
  to.setHasSince(from.since.has_value());
  if (from.since) to.setSince(nanoseconds_of(*from.since));
  to.setHasUntil(from.until.has_value());
  if (from.until) to.setUntil(nanoseconds_of(*from.until));
}

Result<esdb::ReadOptions> get(ReadOptions::Reader from) {
  auto start = get(from.getStart());
  if (!start) return std::unexpected(start.error());
  esdb::ReadOptions options{
      .start = std::move(*start),
      .direction = from.getBackwards() ? Direction::kBackwards : Direction::kForwards,
      .limit = from.getLimit()};
  if (from.getHasUpTo()) options.up_to = Position{from.getUpTo()};
  if (from.getHasSince()) options.since = time_from(from.getSince());
  if (from.getHasUntil()) options.until = time_from(from.getUntil());
  return options;
}

void put(const esdb::Appended& from, Appended::Builder to) {
  to.setFirst(from.first.value);
  to.setLast(from.last.value);
  to.setCommitted(nanoseconds_of(from.committed));
  to.setRepeated(from.repeated);
  auto streams = to.initStreams(size_of(from.streams));
  for (unsigned i = 0; i < streams.size(); ++i) {
    streams[i].setStream(text_of(from.streams[i].stream));
    streams[i].setVersion(from.streams[i].version.value);
  }
}

esdb::Appended get(Appended::Reader from) {
  esdb::Appended appended{.first = from.getFirst(),
                          .last = from.getLast(),
                          .committed = time_from(from.getCommitted()),
                          .repeated = from.getRepeated()};
  appended.streams.reserve(from.getStreams().size());
  for (auto stream : from.getStreams())
    appended.streams.push_back(
        {.stream = to_string(stream.getStream()), .version = stream.getVersion()});
  return appended;
}

void put(const esdb::StreamInfo& from, StreamInfo::Builder to) {
  to.setName(text_of(from.name));
  to.setVersion(from.version.value);
  to.setFirstVersion(from.first_version.value);
  to.setLastPosition(from.last_position.value);
  to.setLastCommitted(nanoseconds_of(from.last_committed));
}

esdb::StreamInfo get(StreamInfo::Reader from) {
  return {.name = to_string(from.getName()),
          .version = from.getVersion(),
          .first_version = from.getFirstVersion(),
          .last_position = from.getLastPosition(),
          .last_committed = time_from(from.getLastCommitted())};
}

void put(const esdb::StreamPage& from, StreamsResult::Page::Builder to) {
  auto streams = to.initStreams(size_of(from.streams));
  for (unsigned i = 0; i < streams.size(); ++i) put(from.streams[i], streams[i]);
  to.setNext(text_of(from.next));
}

esdb::StreamPage get(StreamsResult::Page::Reader from) {
  esdb::StreamPage page{.next = to_string(from.getNext())};
  for (auto stream : from.getStreams()) page.streams.push_back(get(stream));
  return page;
}

void put(const esdb::TermPage& from, TermsResult::Page::Builder to) {
  auto terms = to.initTerms(size_of(from.terms));
  for (unsigned i = 0; i < terms.size(); ++i) {
    terms[i].setText(text_of(from.terms[i].text));
    terms[i].setEvents(from.terms[i].events);
    terms[i].setLast(from.terms[i].last.value);
  }
  to.setNext(text_of(from.next));
}

esdb::TermPage get(TermsResult::Page::Reader from) {
  esdb::TermPage page{.next = to_string(from.getNext())};
  for (auto term : from.getTerms())
    page.terms.push_back(
        {.text = to_string(term.getText()), .events = term.getEvents(), .last = term.getLast()});
  return page;
}

TermKind to_wire(esdb::TermKind kind) {
  switch (kind) {
    case esdb::TermKind::kCategory:
      return TermKind::CATEGORY;
    case esdb::TermKind::kType:
      return TermKind::TYPE;
    case esdb::TermKind::kTag:
      break;
  }
  return TermKind::TAG;
}

Result<esdb::TermKind> from_wire(TermKind kind) {
  switch (kind) {
    case TermKind::CATEGORY:
      return esdb::TermKind::kCategory;
    case TermKind::TYPE:
      return esdb::TermKind::kType;
    case TermKind::TAG:
      return esdb::TermKind::kTag;
  }
  return std::unexpected(
      esdb::Error{.code = ErrorCode::kUnsupported,
                  .message = "terms of a kind that this version does not know: upgrade it"});
}

void put(const esdb::TrackingPage& from, TrackingResult::Page::Builder to) {
  auto sources = to.initSources(size_of(from.sources));
  for (unsigned i = 0; i < sources.size(); ++i) {
    sources[i].setSource(text_of(from.sources[i].source));
    sources[i].setPosition(from.sources[i].position);
  }
  to.setNext(text_of(from.next));
}

esdb::TrackingPage get(TrackingResult::Page::Reader from) {
  esdb::TrackingPage page{.next = to_string(from.getNext())};
  for (auto source : from.getSources())
    page.sources.push_back(
        {.source = to_string(source.getSource()), .position = source.getPosition()});
  return page;
}

void put(const esdb::Statistics& from, Statistics::Builder to) {
  to.setStoreId(text_of(from.store_id));
  to.setEpochId(text_of(from.epoch_id));
  to.setState(text_of(from.state));
  to.setIo(text_of(from.io));
  to.setDurable(from.durable.value);
  to.setIndexed(from.indexed.value);
  to.setEvents(from.events);
  to.setStreams(from.streams);
  to.setBytes(from.bytes);
  to.setSegments(from.segments);
  to.setLastCommitted(nanoseconds_of(from.last_committed));
  to.setClockBehind(from.clock_behind.count());
  to.setDamagedSegments(from.damaged_segments);
}

esdb::Statistics get(Statistics::Reader from) {
  return {.store_id = to_string(from.getStoreId()),
          .epoch_id = to_string(from.getEpochId()),
          .state = to_string(from.getState()),
          .io = to_string(from.getIo()),
          .durable = from.getDurable(),
          .indexed = from.getIndexed(),
          .events = from.getEvents(),
          .streams = from.getStreams(),
          .bytes = from.getBytes(),
          .segments = from.getSegments(),
          .damaged_segments = from.getDamagedSegments(),
          .last_committed = time_from(from.getLastCommitted()),
          .clock_behind = std::chrono::nanoseconds{from.getClockBehind()}};
}

void put(const esdb::Batch& from, Batch::Builder to) {
  std::size_t bytes = 0;
  for (auto event : from) bytes += event.encoded().size();
  auto places = to.initPlaces(size_of(from));
  auto* at = to.initEvents(static_cast<unsigned>(bytes)).begin();
  unsigned i = 0;
  for (auto event : from) {
    const auto encoded = event.encoded();
    std::memcpy(at, encoded.data(), encoded.size());
    at += encoded.size();
    auto place = places[i++];
    place.setPosition(event.position().value);
    place.setVersion(event.version().value);
    place.setCommitted(nanoseconds_of(event.committed()));
    place.setBytes(static_cast<std::uint32_t>(encoded.size()));
    const auto ordinal = event.position().value - event.append().value;
    place.setOrdinal(static_cast<std::uint32_t>(ordinal * 2 + (event.ends_append() ? 1 : 0)));
  }
  const auto& progress = from.progress();
  put(progress.considered, to.initConsidered());
  to.setHead(progress.head.value);
  to.setConsideredTime(nanoseconds_of(progress.considered_time));
  to.setHeadTime(nanoseconds_of(progress.head_time));
  to.setFinished(progress.finished);
  to.setVersion(progress.version.value);
}

ReceivedBatch get(Batch::Reader from) {
  ReceivedBatch batch;
  const auto events = from.getEvents();
  batch.bytes = events.size();
  batch.events = std::make_unique_for_overwrite<std::uint64_t[]>((events.size() + 7) / 8);
  if (events.size() != 0) std::memcpy(batch.events.get(), events.begin(), events.size());
  const auto places = from.getPlaces();
  batch.places.reserve(places.size());
  for (auto place : places)
    batch.places.push_back({.position = place.getPosition(),
                            .version = place.getVersion(),
                            .committed = place.getCommitted(),
                            .bytes = place.getBytes(),
                            .ordinal = place.getOrdinal()});
  batch.progress = {.considered = get(from.getConsidered()),
                    .head = from.getHead(),
                    .considered_time = time_from(from.getConsideredTime()),
                    .head_time = time_from(from.getHeadTime()),
                    .finished = from.getFinished(),
                    .version = from.getVersion()};
  return batch;
}

capnp::MessageSize wire_size(const esdb::Batch& batch) {
  constexpr std::uint64_t kFixedWords = 64;  // the structs around it and the two ids
  constexpr std::uint64_t kPlaceWords = 4;
  std::uint64_t words = kFixedWords + kPlaceWords * batch.size();
  for (auto event : batch) words += (event.encoded().size() + 7) / 8;
  return {words, 0};
}

std::uint64_t to_wire(std::chrono::milliseconds duration) {
  return static_cast<std::uint64_t>(
      std::clamp(duration, std::chrono::milliseconds{0}, kLongest).count());
}

std::chrono::milliseconds from_wire(std::uint64_t milliseconds) {
  return milliseconds < static_cast<std::uint64_t>(kLongest.count())
             ? std::chrono::milliseconds{milliseconds}
             : kLongest;
}

}  // namespace esdb::protocol
