#include "tests/model/words.h"

#include <algorithm>
#include <utility>

namespace esdb::model {
namespace {

const std::vector<std::string> kStreams{"a",   "a-1", "a-2", "a-2-x", "b-1", "b-2",
                                        "b--", "c",   "Ü-1", "-",     "aa",  "never-written"};
const std::vector<std::string> kCategories{"a", "b", "c", "Ü", "", "aa", "never"};
const std::vector<std::string> kTypes{"A", "B", "C", "Aa", "D", "Never"};
const std::vector<std::string> kTags{"t", "t:1", "t:2", "u", "v:x", "w", "never"};
const std::vector<std::string> kSources{"s", "s1", "s2"};

EventId random_id(Chance& chance) {
  EventId id;
  for (auto& byte : id.bytes) byte = static_cast<std::byte>(chance.below(256));
  return id;
}

// Mostly a few bytes; now and then enough to come to the end of a segment.
std::string random_data(Chance& chance) {
  if (chance.percent(4)) return std::string(20'000 + chance.below(60'000), 'x');
  if (chance.percent(20)) return {};
  return "{\"n\":" + std::to_string(chance.below(1000)) + "}";
}

Expect random_expect(Chance& chance, EventStore& now, const std::string& name) {
  switch (chance.below(5)) {
    case 0:
      return Expect::any();
    case 1:
      return Expect::none();
    case 2:
      return Expect::exists();
    default:
      break;
  }
  const auto version = now.stream_info(name)->version.value;
  if (chance.percent(70)) return Expect::exactly(version);
  return Expect::exactly(chance.below(version + 3));
}

// Where the log ends; where it nearly ends; anywhere; now and then beyond it.
Position random_position(Chance& chance, EventStore& now) {
  const auto durable = now.statistics()->durable.value;
  if (chance.percent(2)) return durable + 1 + chance.below(3);
  if (chance.percent(30)) return durable;
  if (chance.percent(50)) return durable - chance.below(std::min<std::uint64_t>(durable, 12) + 1);
  return chance.below(durable + 1);
}

Time time_of(EventStore& now, Position position) {
  Time time{};
  if (position)
    now.for_each(everything(), {.start = Start::after(position.value - 1), .limit = 1},
                 [&](RecordedEvent event) { time = event.committed(); })
        .value();
  return time;
}

Time random_time(Chance& chance, EventStore& now) {
  const auto durable = now.statistics()->durable.value;
  return time_of(now, chance.below(durable + 1)) +
         std::chrono::nanoseconds(static_cast<std::int64_t>(chance.below(3)) - 1);
}

Check random_check(Chance& chance, EventStore& now) {
  switch (chance.below(3)) {
    case 0: {
      auto name = random_stream(chance);
      const auto expect = random_expect(chance, now, name);
      return Check::stream(std::move(name), expect);
    }
    case 1:
      return Check::unchanged(random_query(chance), random_position(chance, now));
    default:
      return Check::absent(random_query(chance));
  }
}

}  // namespace

std::string random_stream(Chance& chance) { return chance.one_of(kStreams); }
std::string random_source(Chance& chance) { return chance.one_of(kSources); }

std::string random_prefix(Chance& chance) {
  const std::vector<std::string> prefixes{"", "a", "a-", "t", "t:", "b", "s", "A", "Ü", "zz"};
  return chance.one_of(prefixes);
}

NewEvent random_event(Chance& chance) {
  NewEvent event{.stream = kStreams[chance.below(kStreams.size() - 1)],
                 .type = kTypes[chance.below(kTypes.size() - 1)],
                 .data = random_data(chance),
                 .id = random_id(chance)};
  for (auto left = chance.below(4); left != 0; --left)
    event.tags.emplace_back(kTags[chance.below(kTags.size() - 1)]);
  if (chance.percent(20)) event.metadata = "{\"by\":" + std::to_string(chance.below(9)) + "}";
  if (chance.percent(10)) event.content_type = chance.percent(50) ? "text/plain" : "x/own";
  if (chance.percent(10)) event.time = Time(std::chrono::seconds(chance.below(1'000'000)));
  return event;
}

Query random_query(Chance& chance) {
  if (chance.percent(15)) return everything();
  if (chance.percent(20)) return stream(random_stream(chance));
  Query query;
  for (auto items = 1 + chance.below(3); items != 0; --items) {
    QueryItem item;
    if (chance.percent(25)) item.streams.push_back(random_stream(chance));
    if (chance.percent(25)) item.streams.push_back(random_stream(chance));
    if (chance.percent(25)) item.categories.push_back(chance.one_of(kCategories));
    std::erase(item.categories, "");
    for (auto left = chance.below(3); left != 0; --left)
      item.types.push_back(chance.one_of(kTypes));
    for (auto left = chance.below(3); left != 0; --left)
      item.tags.emplace_back(chance.one_of(kTags));
    query = std::move(query) | Query(std::move(item));
  }
  return query;
}

AppendRequest random_append(Chance& chance, EventStore& now) {
  AppendRequest request;
  for (auto left = chance.below(5); left != 0; --left)
    request.events.push_back(random_event(chance));
  if (chance.percent(40)) {
    auto name = request.events.empty() ? random_stream(chance)
                                       : request.events[chance.below(request.events.size())].stream;
    const auto expect = random_expect(chance, now, name);
    request.checks.push_back(Check::stream(std::move(name), expect));
  }
  for (auto left = chance.percent(50) ? chance.below(4) : 0; left != 0; --left)
    request.checks.push_back(random_check(chance, now));
  if (request.events.empty() || chance.percent(15)) {
    const auto source = random_source(chance);
    const auto tracked = now.tracked(source).value();
    request.tracking.push_back({source, tracked + (chance.percent(75) ? 1 + chance.below(3) : 0)});
    if (chance.percent(30))
      request.tracking.back().after = chance.percent(70) ? tracked : chance.below(tracked + 3);
    if (source != kSources.front() && chance.percent(20))
      request.tracking.push_back({kSources.front(), now.tracked(kSources.front()).value() + 1});
  }
  return request;
}

AppendRequest random_retry(Chance& chance, const AppendRequest& earlier) {
  AppendRequest request = earlier;
  auto& events = request.events;
  switch (events.empty() ? 0 : chance.below(12)) {
    case 0:
      request.checks.clear();
      break;
    case 1:
      request.tracking.clear();
      break;
    case 2:
      events.erase(events.begin() + static_cast<std::ptrdiff_t>(chance.below(events.size())));
      break;
    case 3:
      std::swap(events.front(), events.back());
      break;
    case 4:
      events.insert(events.begin() + static_cast<std::ptrdiff_t>(chance.below(events.size() + 1)),
                    random_event(chance));
      break;
    case 5:
      events[chance.below(events.size())].stream = kStreams.front();
      break;
    case 6:
      events[chance.below(events.size())].data += "!";
      break;
    case 7:
      events.front().metadata = "changed";
      break;
    default:
      break;  // as it was
  }
  if (events.empty() && request.tracking.empty()) return earlier;
  return request;
}

Start random_start(Chance& chance, EventStore& now, const Query& query) {
  switch (chance.below(6)) {
    case 0:
      return Start::beginning();
    case 1:
      return chance.percent(50) ? Start::end() : Start::after(now.statistics()->durable);
    case 2:
    case 3:
      return Start::after(random_position(chance, now));
    case 4: {
      const auto name = query.items().empty() || query.items().front().streams.empty()
                            ? random_stream(chance)
                            : query.items().front().streams.front();
      return Start::after_version(chance.below(now.stream_info(name)->version.value + 2));
    }
    default:
      return Start::since(random_time(chance, now));
  }
}

ReadOptions random_read(Chance& chance, EventStore& now, const Query& query) {
  ReadOptions options;
  if (chance.percent(50)) options.start = random_start(chance, now, query);
  if (chance.percent(45)) options.direction = Direction::kBackwards;
  if (chance.percent(40)) options.limit = chance.below(30);
  if (chance.percent(25)) options.up_to = random_position(chance, now);
  if (chance.percent(15)) options.since = random_time(chance, now);
  if (chance.percent(15)) options.until = random_time(chance, now);
  return options;
}

}  // namespace esdb::model
