#include "protocol/encoded_append.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include "esdb/limits.h"
#include "protocol/encoded_event.h"
#include "protocol/event.capnp.h"
#include "tests/fixtures/test_run.h"

namespace esdb {
namespace {

using Bytes = std::vector<std::byte>;

Bytes copy_of(const EncodedAppend& append) {
  return {append.bytes().begin(), append.bytes().end()};
}

std::string message_of(const AppendRequest& request) {
  const auto encoded = EncodedAppend::encode(request);
  return encoded ? "accepted" : encoded.error().message;
}
ErrorCode code_of(const AppendRequest& request) {
  const auto encoded = EncodedAppend::encode(request);
  return encoded ? ErrorCode{} : encoded.error().code;
}

NewEvent event(std::string stream, std::string type = "T") {
  return {.stream = std::move(stream), .type = std::move(type)};
}

AppendRequest everything_at_once() {
  return {.events = {{.stream = "order-1",
                      .type = "Placed",
                      .data = "{}",
                      .metadata = "m",
                      .tags = {"b", "a", "b"},
                      .content_type = "text/x-own",
                      .time = Time(std::chrono::seconds(7))},
                     {.stream = "order-2", .type = "Paid", .data = std::string(1000, 'd')}},
          .checks = {Check::stream("order-1", Expect::none()),
                     Check::stream("order-2", Expect::exists()),
                     Check::stream("order-3", Expect::exactly(7)),
                     Check::stream("order-4", Expect::any()),
                     Check::unchanged(types({"A", "B"}).tagged({{"k", "v"}}) | category("c"), 12),
                     Check::absent(stream("s") | tagged({"t"}))},
          .tracking = {{"source", 3, 2}, {"other", ~std::uint64_t{0}}}};
}

void expect_same(const EncodedAppend::Parts& a, const EncodedAppend::Parts& b) {
  ASSERT_EQ(a.events.size(), b.events.size());
  for (std::size_t i = 0; i < a.events.size(); ++i) {
    EXPECT_TRUE(std::ranges::equal(a.events[i].encoded, b.events[i].encoded));
    EXPECT_EQ(a.events[i].id, b.events[i].id);
    EXPECT_EQ(a.events[i].stream, b.events[i].stream);
    EXPECT_EQ(a.events[i].type, b.events[i].type);
    EXPECT_TRUE(std::ranges::equal(a.events[i].tags, b.events[i].tags));
    EXPECT_EQ(a.events[i].hash, b.events[i].hash);
    EXPECT_EQ(a.events[i].fingerprint, b.events[i].fingerprint);
  }
  ASSERT_EQ(a.checks.size(), b.checks.size());
  for (std::size_t i = 0; i < a.checks.size(); ++i) {
    EXPECT_EQ(a.checks[i].kind, b.checks[i].kind);
    EXPECT_EQ(a.checks[i].name, b.checks[i].name);
    EXPECT_EQ(a.checks[i].expect.kind(), b.checks[i].expect.kind());
    EXPECT_EQ(a.checks[i].expect.version(), b.checks[i].expect.version());
    EXPECT_EQ(to_string(a.checks[i].query), to_string(b.checks[i].query));
    EXPECT_EQ(a.checks[i].after, b.checks[i].after);
  }
  ASSERT_EQ(a.tracking.size(), b.tracking.size());
  for (std::size_t i = 0; i < a.tracking.size(); ++i) {
    EXPECT_EQ(a.tracking[i].source, b.tracking[i].source);
    EXPECT_EQ(a.tracking[i].position, b.tracking[i].position);
    EXPECT_EQ(a.tracking[i].after, b.tracking[i].after);
  }
  EXPECT_EQ(a.event_bytes, b.event_bytes);
  EXPECT_EQ(a.event_bytes_max, b.event_bytes_max);
}

TEST(EncodedAppend, TakenApartItIsWhatWasAskedFor) {
  const auto request = everything_at_once();
  const auto encoded = EncodedAppend::encode(request).value();
  const auto& parts = *encoded.parts;
  ASSERT_EQ(parts.events.size(), 2u);
  EXPECT_EQ(parts.events[0].stream, "order-1");
  EXPECT_EQ(parts.events[0].type, "Placed");
  EXPECT_EQ(parts.events[0].id, request.events[0].id);
  EXPECT_TRUE(std::ranges::equal(parts.events[0].tags, std::vector<std::string_view>{"a", "b"}));
  EXPECT_TRUE(parts.events[1].tags.empty());
  EXPECT_EQ(parts.event_bytes, parts.events[0].encoded.size() + parts.events[1].encoded.size());
  EXPECT_EQ(parts.event_bytes_max, parts.events[1].encoded.size());
  for (const auto& one : parts.events) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one.encoded.data()) % 8, 0u);
    EXPECT_TRUE(protocol::has_accepted_layout(one.encoded));
    EXPECT_EQ(one.hash, protocol::hash_of(one.encoded));
  }
}

TEST(EncodedAppend, ItsBytesAdoptedAreTheSameAppend) {
  const auto encoded = EncodedAppend::encode(everything_at_once()).value();
  const auto adopted = EncodedAppend::adopt(copy_of(encoded));
  ASSERT_TRUE(adopted) << adopted.error().message;
  expect_same(*adopted->parts, *encoded.parts);
  EXPECT_TRUE(std::ranges::equal(adopted->bytes(), encoded.bytes()));
}

TEST(EncodedAppend, ItsBytesHoldNothingBeyondWhatIsReachable) {
  AppendRequest events_alone{.events = {event("a")}}, tracking_alone{.tracking = {{"s", 1}}};
  for (const auto& request : {everything_at_once(), events_alone, tracking_alone}) {
    const auto encoded = EncodedAppend::encode(request).value();
    const auto* words = reinterpret_cast<const capnp::word*>(encoded.bytes().data());
    const auto message = capnp::readMessageUnchecked<protocol::Append>(words);
    EXPECT_EQ(message.totalSize().wordCount + 1, encoded.bytes().size() / 8);
  }
}

TEST(EncodedAppend, TrackingAloneIsEnoughAndChecksAloneAreNot) {
  EXPECT_EQ(message_of({.tracking = {{"source", 1}}}), "accepted");
  EXPECT_EQ(message_of({.checks = {Check::stream("a", Expect::none())}}),
            "append: it holds neither events nor tracking, so nothing would be written");
  EXPECT_EQ(code_of({}), ErrorCode::kInvalidArgument);
}

TEST(EncodedAppend, AnIdTwiceIsRefused) {
  AppendRequest request{.events = {event("a"), event("b"), event("c")}};
  request.events[2].id = request.events[0].id;
  const auto encoded = EncodedAppend::encode(request);
  ASSERT_FALSE(encoded);
  EXPECT_EQ(encoded.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(encoded.error().message.find(to_string(request.events[0].id)), std::string::npos);
}

TEST(EncodedAppend, ASourceTwiceIsRefused) {
  EXPECT_EQ(message_of({.tracking = {{"s", 1}, {"t", 1}, {"s", 2}}}),
            "tracking: source \"s\" is named twice in one append");
}

TEST(EncodedAppend, MessagesNameWhichOfSeveralIsWrong) {
  EXPECT_EQ(message_of({.events = {event("a"), event("")}}),
            "events[1].stream: empty; it is 1 to 500 bytes");
  EXPECT_EQ(message_of({.events = {event("")}}), "stream: empty; it is 1 to 500 bytes");
  EXPECT_EQ(message_of({.tracking = {{"s", 1}, {"", 1}}}),
            "tracking[1].tracking source: empty; it is 1 to 255 bytes");
}

TEST(EncodedAppend, TheSystemsStreamsAreNeitherWrittenNorChecked) {
  EXPECT_EQ(code_of({.events = {event("$x")}}), ErrorCode::kInvalidArgument);
  for (const auto& check :
       {Check::stream("$x", Expect::none()), Check::absent(stream("$x")),
        Check::unchanged(category("$x"), 0), Check::absent(everything() | stream("$x-1"))})
    EXPECT_EQ(code_of({.events = {event("a")}, .checks = {check}}), ErrorCode::kInvalidArgument);
}

TEST(EncodedAppend, AQueryWithoutItemsIsRefusedInAnyCheck) {
  EXPECT_EQ(code_of({.events = {event("a")}, .checks = {Check::absent(Query{})}}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({.events = {event("a")}, .checks = {Check::unchanged(Query{}, 1)}}),
            ErrorCode::kInvalidArgument);
}

TEST(EncodedAppend, CountsAreLimitedOnBothSides) {
  AppendRequest checks{.events = {event("a")}};
  for (std::size_t i = 0; i < kChecksMax; ++i)
    checks.checks.push_back(Check::stream("s" + std::to_string(i), Expect::none()));
  EXPECT_EQ(code_of(checks), ErrorCode{});
  checks.checks.push_back(Check::stream("s", Expect::none()));
  EXPECT_EQ(code_of(checks), ErrorCode::kTooLarge);

  AppendRequest tracking;
  for (std::size_t i = 0; i < kTrackingMax; ++i)
    tracking.tracking.push_back({"s" + std::to_string(i), 1});
  EXPECT_EQ(code_of(tracking), ErrorCode{});
  tracking.tracking.push_back({"s", 1});
  EXPECT_EQ(code_of(tracking), ErrorCode::kTooLarge);

  const auto source = [](std::size_t n) {
    return AppendRequest{.tracking = {{std::string(n, 's'), 1}}};
  };
  EXPECT_EQ(code_of(source(kSourceBytesMax)), ErrorCode{});
  EXPECT_EQ(code_of(source(kSourceBytesMax + 1)), ErrorCode::kTooLarge);
}

TEST(EncodedAppend, ItsSizeIsLimitedOnBothSides) {
  AppendRequest request{.events = {event("a"), event("b")}};
  const std::size_t overhead = EncodedAppend::encode(request)->bytes().size();
  const std::size_t room = kAppendBytesCap - overhead;
  request.events[0].data = std::string(room / 2 / 8 * 8, 'x');
  request.events[1].data = std::string(room - request.events[0].data.size(), 'x');
  const auto largest = EncodedAppend::encode(request);
  ASSERT_TRUE(largest) << largest.error().message;
  EXPECT_EQ(largest->bytes().size(), kAppendBytesCap);
  EXPECT_TRUE(EncodedAppend::adopt(copy_of(*largest)));
  request.events[1].data += 'x';
  EXPECT_EQ(code_of(request), ErrorCode::kTooLarge);
  EXPECT_EQ(EncodedAppend::adopt(Bytes(kAppendBytesCap + 8)).error().code, ErrorCode::kTooLarge);
}

// ---- bytes from elsewhere

template <class Fill>
Result<EncodedAppend> adopt_made(Fill fill) {
  capnp::MallocMessageBuilder message(1 << 16);
  fill(message.initRoot<protocol::Append>());
  const auto bytes = message.getSegmentsForOutput()[0].asBytes();
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.begin());
  return EncodedAppend::adopt(Bytes(begin, begin + bytes.size()));
}

Bytes one_event(std::string_view stream = "s") {
  Bytes bytes;
  protocol::encode({.id = EventId::make(), .stream = stream, .type = "T", .data = "data"}, bytes);
  return bytes;
}

capnp::Data::Reader data_of(const Bytes& bytes) {
  return {reinterpret_cast<const capnp::byte*>(bytes.data()), bytes.size()};
}

TEST(EncodedAppend, AnEventInAnotherLayoutIsEncodedAnewAndKeepsItsPlace) {
  Bytes hiding = one_event("hiding");
  hiding.insert(hiding.end(), 16, std::byte{0x53});
  const Bytes first = one_event("first"), last = one_event("last");
  const auto adopted = adopt_made([&](protocol::Append::Builder append) {
    auto events = append.initEvents(3);
    events.set(0, data_of(first));
    events.set(1, data_of(hiding));
    events.set(2, data_of(last));
  });
  ASSERT_TRUE(adopted) << adopted.error().message;
  const auto& parts = *adopted->parts;
  ASSERT_EQ(parts.events.size(), 3u);
  EXPECT_EQ(parts.events[0].stream, "first");
  EXPECT_EQ(parts.events[1].stream, "hiding");
  EXPECT_EQ(parts.events[2].stream, "last");
  EXPECT_EQ(parts.events[1].encoded.size(), hiding.size() - 16);
  EXPECT_TRUE(protocol::has_accepted_layout(parts.events[1].encoded));
  EXPECT_EQ(parts.event_bytes, first.size() + hiding.size() - 16 + last.size());
}

TEST(EncodedAppend, AdoptedEventsObeyTheSameRules) {
  const auto code = [](const Bytes& event) {
    const auto adopted = adopt_made(
        [&](protocol::Append::Builder append) { append.initEvents(1).set(0, data_of(event)); });
    return adopted ? ErrorCode{} : adopted.error().code;
  };
  EXPECT_EQ(code(one_event()), ErrorCode{});
  EXPECT_EQ(code(one_event("$x")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(one_event("a\x01")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(one_event("\xc0\x80")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(one_event(std::string(kStreamBytesMax + 1, 's'))), ErrorCode::kTooLarge);
  EXPECT_EQ(code({}), ErrorCode::kInvalidArgument);
  Bytes hiding = one_event("$x");
  hiding.resize(hiding.size() + 8);
  EXPECT_EQ(code(hiding), ErrorCode::kInvalidArgument);
}

TEST(EncodedAppend, ListsThatAreTooLongAreRefused) {
  const Bytes event = one_event();
  const auto code = [&](auto fill) {
    const auto adopted = adopt_made([&](protocol::Append::Builder append) {
      append.initEvents(1).set(0, data_of(event));
      fill(append);
    });
    return adopted ? ErrorCode{} : adopted.error().code;
  };
  EXPECT_EQ(code([](auto append) { append.initChecks(kChecksMax + 1); }), ErrorCode::kTooLarge);
  EXPECT_EQ(code([](auto append) { append.initTracking(kTrackingMax + 1); }), ErrorCode::kTooLarge);
  EXPECT_EQ(
      code([](auto append) { append.initChecks(1)[0].initAbsent().initItems(kQueryItemsMax + 1); }),
      ErrorCode::kTooLarge);
  EXPECT_EQ(code([](auto append) {
              append.initChecks(1)[0].initAbsent().initItems(1)[0].initTags(kQueryNamesMax + 1);
            }),
            ErrorCode::kTooLarge);
}

TEST(EncodedAppend, BytesThatAreNoAppendAreAnError) {
  EXPECT_EQ(EncodedAppend::adopt({}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(EncodedAppend::adopt(Bytes(12)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(EncodedAppend::adopt(Bytes(8)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(EncodedAppend::adopt(Bytes(800, std::byte{0xff})).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(EncodedAppend, DamagedBytesAreRefusedOrAreSomeOtherLegalAppend) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const Bytes good = copy_of(EncodedAppend::encode(everything_at_once()).value());
  int accepted = 0, refused = 0;
  for (int i = 0; i < 5'000; ++i) {
    Bytes bytes = good;
    for (auto changes = 1 + random() % 4; changes != 0; --changes)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    if (random() % 8 == 0) bytes.resize(8 * (random() % (bytes.size() / 8)));
    const auto adopted = EncodedAppend::adopt(bytes);
    ++(adopted ? accepted : refused);
    if (!adopted) continue;
    for (const auto& one : adopted->parts->events)
      ASSERT_TRUE(protocol::has_accepted_layout(one.encoded));
  }
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 0);
}

TEST(EncodedAppend, AListOfMillionsOfNothingIsRefusedWithoutBeingWalked) {
  // A list of 2^29 - 1 empty structs takes two words.
  Bytes bytes(5 * 8);
  const std::uint64_t root = std::uint64_t{3} << 48;
  const std::uint64_t list = 1 | (std::uint64_t{7} << 32);
  const std::uint64_t tag = (std::uint64_t{0x1fffffff} << 2);
  std::memcpy(bytes.data(), &root, 8);
  std::memcpy(bytes.data() + 24, &list, 8);  // tracking
  std::memcpy(bytes.data() + 32, &tag, 8);
  const auto adopted = EncodedAppend::adopt(bytes);
  ASSERT_FALSE(adopted);
  EXPECT_TRUE(adopted.error().message.starts_with("tracking: 536870911") ||
              adopted.error().message.find("raversal") != std::string::npos ||
              adopted.error().message.find("mplif") != std::string::npos)
      << adopted.error().message;
}

}  // namespace
}  // namespace esdb
