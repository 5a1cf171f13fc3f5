// Both sides of every limit in esdb/limits.h, as a store answers them.
#include "esdb/limits.h"

#include <string>
#include <vector>

#include "protocol/encoded_append.h"
#include "tests/model/answers.h"
#include "tests/model/stores.h"

namespace esdb::model {
namespace {

std::string text_of(std::size_t bytes) { return std::string(bytes, 'x'); }

// The event's data made so long that the event has exactly `bytes` as encoded, a multiple of 8.
NewEvent event_of(std::size_t bytes, std::string stream = "s") {
  auto made = event(std::move(stream));
  made.data.clear();
  const auto least = encoded({.events = {made}}).parts->event_bytes;
  made.data = text_of(bytes - least);
  return made;
}

class Limits : public EveryStore {
 protected:
  std::string append(NewEvent event) {
    return word_of(store().append({.events = {std::move(event)}}));
  }
  std::string append_checked(Check check) {
    return word_of(store().append({.events = {event("checked")}, .checks = {std::move(check)}}));
  }
  std::string read(const Query& query) { return word_of(store().read(query).next()); }
  Position durable() { return store().statistics()->durable; }
};

// ---- names

TEST_P(Limits, OfAStreamsName) {
  EXPECT_EQ(append(event("")), "invalid_argument");
  EXPECT_EQ(append(event("x")), "done");
  EXPECT_EQ(append(event(text_of(kStreamBytesMax))), "done");
  EXPECT_EQ(append(event(text_of(kStreamBytesMax + 1))), "too_large");
  EXPECT_EQ(append(event("a\nb")), "invalid_argument");
  EXPECT_EQ(append(event("a\x7f")), "invalid_argument");
  EXPECT_EQ(append(event(std::string("a\0b", 3))), "invalid_argument");
  EXPECT_EQ(append(event("\xc3\x28")), "invalid_argument") << "no UTF-8";
  EXPECT_EQ(append(event("Ü ☃ 𝄞")), "done");
  EXPECT_EQ(append(event("$own")), "invalid_argument") << "the system's";
  EXPECT_EQ(durable(), Position{3});
  EXPECT_EQ(store().stream_info(text_of(kStreamBytesMax))->version, Version{1});
  EXPECT_EQ(store().stream_info("Ü ☃ 𝄞")->version, Version{1});
  EXPECT_EQ(word_of(store().stream_info(text_of(kStreamBytesMax + 1))), "too_large");
}

TEST_P(Limits, NamesThatDifferOnlyAtTheirEndAreDifferent) {
  const auto longest = text_of(kStreamBytesMax - 1);
  for (const auto* end : {"a", "b", ""}) EXPECT_EQ(append(event(longest + end)), "done");
  for (const auto* end : {"a", "b", ""})
    EXPECT_EQ(store().stream_info(longest + end)->version, Version{1});
  EXPECT_EQ(store().streams(longest)->streams.size(), 3u);
  auto tagged_a = event("t", text_of(kTypeBytesMax), {text_of(kTagBytesMax - 1) + "a"});
  EXPECT_EQ(append(tagged_a), "done");
  EXPECT_EQ(store().count(tagged({text_of(kTagBytesMax - 1) + "a"})).value(), 1u);
  EXPECT_EQ(store().count(tagged({text_of(kTagBytesMax - 1) + "b"})).value(), 0u);
  EXPECT_EQ(store().count(tagged({text_of(kTagBytesMax - 1)})).value(), 0u);
  EXPECT_EQ(store().count(types({text_of(kTypeBytesMax)})).value(), 1u);
  EXPECT_EQ(store().count(types({text_of(kTypeBytesMax - 1)})).value(), 0u);
}

TEST_P(Limits, OfATypesName) {
  EXPECT_EQ(append(event("s", "")), "invalid_argument");
  EXPECT_EQ(append(event("s", text_of(kTypeBytesMax))), "done");
  EXPECT_EQ(append(event("s", text_of(kTypeBytesMax + 1))), "too_large");
  EXPECT_EQ(append(event("s", "a\tb")), "invalid_argument");
}

TEST_P(Limits, OfTags) {
  EXPECT_EQ(append(event("s", "T", {""})), "invalid_argument");
  EXPECT_EQ(append(event("s", "T", {text_of(kTagBytesMax)})), "done");
  EXPECT_EQ(append(event("s", "T", {text_of(kTagBytesMax + 1)})), "too_large");
  std::vector<Tag> tags;
  for (std::size_t i = 0; i < kTagsMax; ++i) tags.emplace_back("tag", std::to_string(i));
  tags.push_back(tags.front());
  EXPECT_EQ(append(event("s", "T", tags)), "done") << "a repeated one is kept once";
  tags.emplace_back("one more");
  EXPECT_EQ(append(event("s", "T", tags)), "too_large");
  EXPECT_EQ(store().count(tagged({tags[kTagsMax - 1], tags[0]})).value(), 1u);
}

TEST_P(Limits, OfAContentType) {
  auto other = event("s");
  other.content_type = text_of(kContentTypeBytesMax);
  EXPECT_EQ(append(other), "done");
  other = event("s");
  other.content_type = text_of(kContentTypeBytesMax + 1);
  EXPECT_EQ(append(other), "too_large");
}

// ---- tracking and checks

TEST_P(Limits, OfTracking) {
  const auto append_tracking = [&](std::vector<Tracking> tracking) {
    return word_of(store().append({.tracking = std::move(tracking)}));
  };
  EXPECT_EQ(append_tracking({{"", 1}}), "invalid_argument");
  EXPECT_EQ(append_tracking({{text_of(kSourceBytesMax), ~std::uint64_t{0}}}), "done");
  EXPECT_EQ(append_tracking({{text_of(kSourceBytesMax + 1), 1}}), "too_large");
  EXPECT_EQ(append_tracking({{"twice", 1}, {"twice", 2}}), "invalid_argument");
  std::vector<Tracking> tracking;
  for (std::size_t i = 0; i < kTrackingMax; ++i)
    tracking.push_back({"source-" + std::to_string(i), 1});
  EXPECT_EQ(append_tracking(tracking), "done");
  tracking.push_back({"one more", 1});
  for (auto& one : tracking) one.position = 2;
  EXPECT_EQ(append_tracking(tracking), "too_large");
  EXPECT_EQ(store().tracked(text_of(kSourceBytesMax)).value(), ~std::uint64_t{0});
  EXPECT_EQ(store().tracked("source-63").value(), 1u);
  EXPECT_EQ(word_of(store().tracked(text_of(kSourceBytesMax + 1))), "too_large");
  EXPECT_EQ(store().tracking()->sources.size(), kTrackingMax + 1);
}

TEST_P(Limits, OfChecks) {
  AppendRequest request{.events = {event("s")}};
  for (std::size_t i = 0; i < kChecksMax; ++i)
    request.checks.push_back(Check::stream("c-" + std::to_string(i), Expect::none()));
  EXPECT_EQ(word_of(store().append(request)), "done");
  request.events = {event("s")};
  request.checks.push_back(Check::stream("one more", Expect::none()));
  EXPECT_EQ(word_of(store().append(request)), "too_large");
  request.checks.pop_back();
  for (auto& check : request.checks) check.expect = Expect::exists();
  const auto refused = store().append(request);
  EXPECT_EQ(word_of(refused), "conflict");
  EXPECT_EQ(refused.error().violations.size(), kChecksMax) << "every one is told";
  EXPECT_LT(refused.error().message.size(), 4096u) << "but not in words";
}

TEST_P(Limits, OfWhatACheckNames) {
  EXPECT_EQ(append_checked(Check::stream("", Expect::none())), "invalid_argument");
  EXPECT_EQ(append_checked(Check::stream(text_of(kStreamBytesMax), Expect::none())), "done");
  EXPECT_EQ(append_checked(Check::stream(text_of(kStreamBytesMax + 1), Expect::none())),
            "too_large");
  EXPECT_EQ(append_checked(Check::absent(Query{})), "invalid_argument");
  EXPECT_EQ(append_checked(Check::unchanged(Query{}, 0)), "invalid_argument");
  EXPECT_EQ(append_checked(Check::stream("$system", Expect::none())), "invalid_argument");
  EXPECT_EQ(append_checked(Check::stream("s", Expect::exactly(~std::uint64_t{0}))), "conflict");
  EXPECT_EQ(append_checked(Check::unchanged(everything(), ~std::uint64_t{0})), "other_store");
}

// ---- queries

TEST_P(Limits, OfTheItemsOfAQuery) {
  store().append("s-0", event("")).value();
  Query query;
  for (std::size_t i = 0; i < kQueryItemsMax; ++i)
    query = std::move(query) | stream("s-" + std::to_string(kQueryItemsMax - 1 - i));
  EXPECT_EQ(read(query), "done");
  EXPECT_EQ(store().count(query).value(), 1u);
  EXPECT_EQ(append_checked(Check::absent(query)), "already_exists");
  query = std::move(query) | stream("one more");
  EXPECT_EQ(read(query), "too_large");
  EXPECT_EQ(word_of(store().subscribe(query).next({.wait = {}})), "too_large");
  EXPECT_EQ(word_of(store().count(query)), "too_large");
  EXPECT_EQ(append_checked(Check::absent(query)), "too_large");
}

TEST_P(Limits, OfTheNamesInAQuerysItem) {
  store().append("x-0", event("", "x-0", {"x-0"})).value();
  std::vector<std::string> names;
  std::vector<Tag> tags;
  for (std::size_t i = 0; i < kQueryNamesMax; ++i) {
    names.push_back("x-" + std::to_string(i));
    tags.emplace_back("x-" + std::to_string(i));
  }
  const auto items = [&] {
    return std::vector<QueryItem>{
        {.streams = names}, {.categories = names}, {.types = names}, {.tags = tags}};
  };
  const std::vector<std::uint64_t> found{1, 0, 1, 0};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(read(Query(items()[i])), "done") << i;
    EXPECT_EQ(store().count(Query(items()[i])).value(), found[i]) << i;
  }
  names.emplace_back("one more");
  tags.emplace_back("one more");
  for (const auto& item : items()) EXPECT_EQ(read(Query(item)), "too_large");
}

TEST_P(Limits, OfTheNamesThatAQueryNames) {
  EXPECT_EQ(read(stream(text_of(kStreamBytesMax))), "done");
  EXPECT_EQ(read(stream(text_of(kStreamBytesMax + 1))), "too_large");
  EXPECT_EQ(read(category(text_of(kStreamBytesMax + 1))), "too_large");
  EXPECT_EQ(read(types({text_of(kTypeBytesMax + 1)})), "too_large");
  EXPECT_EQ(read(tagged({text_of(kTagBytesMax + 1)})), "too_large");
  EXPECT_EQ(read(stream("")), "invalid_argument");
  EXPECT_EQ(read(types({""})), "invalid_argument");
  EXPECT_EQ(read(tagged({""})), "invalid_argument");
  EXPECT_EQ(read(stream("$system")), "done") << "what the system writes may be read";
}

// ---- bytes

TEST_P(Limits, OfOneEventsBytes) {
  const auto most = options().event_bytes_max;
  EXPECT_EQ(append(event_of(most)), "done");
  EXPECT_EQ(append(event_of(most + 8)), "too_large");
  const auto batch = store().read(everything()).next({.max_bytes = 1}).value();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ((*batch.begin()).encoded().size(), most);
}

TEST_P(Limits, OfOneAppendsBytes) {
  const auto most = options().append_bytes_max, half = most / 2;
  EXPECT_EQ(word_of(store().append({.events = {event_of(half), event_of(half)}})), "done");
  EXPECT_EQ(
      word_of(store().append({.events = {event_of(half), event_of(half - 1024), event_of(1032)}})),
      "too_large");
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(word_of(store().append({.events = {event_of(half), event_of(half)}})), "done");
  EXPECT_EQ(durable(), Position{14});
  std::uint64_t bytes = 0;
  store().for_each(everything(), {}, [&](RecordedEvent e) { bytes += e.encoded().size(); }).value();
  EXPECT_EQ(bytes, 7 * most);
}

TEST_P(Limits, OfBytesByDefault) {
  open({.drive = body().drive});
  EXPECT_EQ(append(event_of(kEventBytesDefault)), "done");
  EXPECT_EQ(append(event_of(kEventBytesDefault + 8)), "too_large");
  AppendRequest request;
  for (std::size_t i = 0; i < kAppendBytesDefault / kEventBytesDefault; ++i)
    request.events.push_back(event_of(kEventBytesDefault));
  EXPECT_EQ(word_of(store().append(request)), "done");
  for (auto& e : request.events) e.id = EventId::make();
  request.events.push_back(event("s"));
  EXPECT_EQ(word_of(store().append(request)), "too_large");
  auto cursor = store().read(everything());
  std::uint64_t read = 0;
  for (bool finished = false; !finished;) {
    const auto batch = cursor.next({.max_bytes = ~std::size_t{0}}).value();
    read += batch.size();
    finished = batch.finished();
  }
  EXPECT_EQ(read, 5u);
}

TEST_P(Limits, OfWhatAnAppendHolds) {
  EXPECT_EQ(word_of(store().append(AppendRequest{})), "invalid_argument");
  EXPECT_EQ(word_of(store().append({.checks = {Check::absent(everything())}})), "invalid_argument");
  const auto twice = event("s");
  EXPECT_EQ(word_of(store().append({.events = {twice, event("s"), twice}})), "invalid_argument");
  auto anonymous = event("s");
  anonymous.id = EventId{};
  EXPECT_EQ(append(anonymous), "invalid_argument");
  EXPECT_EQ(word_of(store().append(EncodedAppend{})), "invalid_argument");
  EXPECT_EQ(durable(), Position{});
}

// ---- pages

TEST_P(Limits, OfAPagesRows) {
  constexpr std::size_t kRows = kPageMax + 1;
  for (std::size_t i = 0; i < kRows;) {
    AppendRequest request;
    for (std::size_t end = std::min(i + 800, kRows); i < end; ++i) {
      const auto name = "n" + std::to_string(100'000 + i);
      request.events.push_back({.stream = name, .type = name, .tags = {name}});
    }
    store().append(request).value();
  }
  for (const auto limit : {kPageMax, kPageMax + 1, ~std::size_t{0}}) {
    const auto streams = store().streams("", "", limit).value();
    EXPECT_EQ(streams.streams.size(), kPageMax);
    EXPECT_EQ(streams.next, "n109999");
    for (const auto kind : {TermKind::kCategory, TermKind::kType, TermKind::kTag}) {
      const auto terms = store().terms(kind, "", "", limit).value();
      EXPECT_EQ(terms.terms.size(), kPageMax);
      EXPECT_EQ(terms.next, "n109999");
    }
  }
  const auto rest = store().streams("", "n109999").value();
  ASSERT_EQ(rest.streams.size(), 1u);
  EXPECT_EQ(rest.streams[0].name, "n110000");
  EXPECT_EQ(rest.next, "");
  EXPECT_EQ(store().streams("", "", kPageMax - 1)->next, "n109998");
  EXPECT_EQ(word_of(store().streams("", "", 0)), "invalid_argument");
  EXPECT_EQ(word_of(store().terms(TermKind::kTag, "", "", 0)), "invalid_argument");
  EXPECT_EQ(word_of(store().tracking("", "", 0)), "invalid_argument");
}

INSTANTIATE_TEST_SUITE_P(Every, Limits, ::testing::ValuesIn(bodies()), name_of_body);

}  // namespace
}  // namespace esdb::model
