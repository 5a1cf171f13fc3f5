#include "protocol/encoded_event.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "esdb/limits.h"
#include "protocol/event.capnp.h"
#include "tests/fixtures/test_run.h"

namespace esdb::protocol {
namespace {

using Bytes = std::vector<std::byte>;

EventFields small() {
  static const EventId id = EventId::derive({}, 1);
  return {.id = id, .stream = "order-1", .type = "Placed", .data = "{\"total\":12}"};
}

EventFields full() {
  EventFields fields = small();
  fields.time = Time(std::chrono::nanoseconds(-1'234'567'890'123));
  fields.metadata = "{\"correlationId\":\"7\"}";
  fields.content_type = "application/vnd.example+json";
  fields.tags = {"a", "customer:7", "customer:70"};
  return fields;
}

Bytes encoded(const EventFields& fields) {
  Bytes bytes;
  encode(fields, bytes);
  return bytes;
}

void expect_same(const EventFields& a, const EventFields& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.time, b.time);
  EXPECT_EQ(a.stream, b.stream);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.data, b.data);
  EXPECT_EQ(a.metadata, b.metadata);
  EXPECT_EQ(a.tags, b.tags);
  EXPECT_EQ(a.content_type.empty() ? "application/json" : a.content_type,
            b.content_type.empty() ? "application/json" : b.content_type);
}

EventFields by_accessors(const Bytes& bytes) {
  return {.id = id_of(bytes),
          .time = time_of(bytes),
          .stream = stream_of(bytes),
          .type = type_of(bytes),
          .data = data_of(bytes),
          .metadata = metadata_of(bytes),
          .content_type = content_type_of(bytes),
          .tags = tags_of(bytes)};
}

// What the generated code makes of the same fields, set in the schema's order.
Bytes by_generated_code(const EventFields& fields) {
  capnp::MallocMessageBuilder message(4096);
  auto event = message.initRoot<Event>();
  const auto text = [](std::string_view t) {
    return capnp::Text::Reader(t.data(), t.size());  // all of them literals: zero-terminated
  };
  std::uint64_t halves[2];
  std::memcpy(halves, fields.id.bytes.data(), 16);
  event.setIdHigh(__builtin_bswap64(halves[0]));
  event.setIdLow(__builtin_bswap64(halves[1]));
  if (fields.time) {
    event.setTime(fields.time->time_since_epoch().count());
    event.setHasTime(true);
  }
  event.setContentType(fields.content_type.empty() ? 1 : 0);
  const auto data = [](std::string_view d) {
    return capnp::Data::Reader(reinterpret_cast<const capnp::byte*>(d.data()), d.size());
  };
  event.setStream(text(fields.stream));
  event.setType(text(fields.type));
  event.setData(data(fields.data));
  if (!fields.metadata.empty()) event.setMetadata(data(fields.metadata));
  if (!fields.tags.empty()) {
    auto tags = event.initTags(static_cast<unsigned>(fields.tags.size()));
    for (unsigned i = 0; i < tags.size(); ++i) tags.set(i, text(fields.tags[i]));
  }
  if (!fields.content_type.empty()) event.setOtherContentType(text(fields.content_type));
  const auto bytes = message.getSegmentsForOutput()[0].asBytes();
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.begin());
  return Bytes(begin, begin + bytes.size());
}

std::uint64_t word_at(const Bytes& bytes, std::size_t word) {
  std::uint64_t value;
  std::memcpy(&value, bytes.data() + 8 * word, 8);
  return value;
}
void set_word(Bytes& bytes, std::size_t word, std::uint64_t value) {
  std::memcpy(bytes.data() + 8 * word, &value, 8);
}

TEST(EncodedEvent, IsWhatTheGeneratedCodeMakesInTheSchemasOrder) {
  EXPECT_EQ(encoded(small()), by_generated_code(small()));
  EXPECT_EQ(encoded(full()), by_generated_code(full()));
}

TEST(EncodedEvent, EveryFieldComesBackByItsAccessor) {
  for (const auto& fields : {small(), full()}) {
    const Bytes bytes = encoded(fields);
    EXPECT_EQ(bytes.size(), encoded_size(fields));
    ASSERT_TRUE(has_accepted_layout(bytes));
    expect_same(by_accessors(bytes), fields);
    EXPECT_EQ(tag_count(bytes), fields.tags.size());
  }
}

TEST(EncodedEvent, TheGeneralReaderReadsTheSame) {
  const Bytes bytes = encoded(full());
  const auto fields = read_untrusted(bytes);
  ASSERT_TRUE(fields) << fields.error().message;
  expect_same(*fields, full());
}

TEST(EncodedEvent, EveryLengthOfEveryBlobRoundTrips) {
  const std::string text(64, 'x');
  for (std::size_t n = 0; n <= 24; ++n) {
    EventFields fields = full();
    fields.data = std::string_view(text).substr(0, n);
    fields.metadata = std::string_view(text).substr(0, 24 - n);
    fields.stream = std::string_view(text).substr(0, n + 1);
    const std::string tag = text.substr(0, n + 1);
    fields.tags = {tag};
    const Bytes bytes = encoded(fields);
    ASSERT_TRUE(has_accepted_layout(bytes)) << n;
    expect_same(by_accessors(bytes), fields);
  }
}

TEST(EncodedEvent, CommonContentTypesAreNumbersAndOthersTexts) {
  for (const auto* name : {"application/json", "application/octet-stream", "text/plain",
                           "application/cbor", "application/x-protobuf", "application/x-capnp",
                           "application/xml", "application/cloudevents+json"}) {
    EventFields fields = small();
    fields.content_type = name;
    const Bytes bytes = encoded(fields);
    EXPECT_EQ(bytes.size(), encoded(small()).size()) << name;
    EXPECT_EQ(content_type_of(bytes), name);
  }
  // The numbers are those of the schema, which other languages read.
  const auto names = CONTENT_TYPES.get();
  for (unsigned i = 1; i < names.size(); ++i) {
    EventFields fields = small();
    fields.content_type = {names[i].begin(), names[i].size()};
    EXPECT_EQ(word_at(encoded(fields), 4) >> 16, i);
  }
}

TEST(EncodedEvent, AnyChangedPaddingOrBitIsRefusedOrIsAnotherEvent) {
  // Every single-bit change either breaks the layout, or changes what an accessor gives: nothing is
  // hidden anywhere.
  const Bytes good = encoded(full());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bytes = good;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    if (!has_accepted_layout(bytes)) continue;
    EXPECT_EQ(encoded(by_accessors(bytes)), bytes) << "bit " << bit;
  }
}

TEST(EncodedEvent, WhateverIsAcceptedIsExactlyWhatEncodingItsFieldsGives) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const Bytes good = encoded(full());
  std::size_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = good;
    for (auto changes = 1 + random() % 3; changes != 0; --changes) {
      if (random() % 4 == 0)
        bytes.resize(8 * (1 + random() % (2 + good.size() / 8)));
      else
        bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    (void)read_untrusted(bytes);  // whatever it answers, it does not read outside
    if (!has_accepted_layout(bytes)) continue;
    ++accepted;
    ASSERT_EQ(encoded(by_accessors(bytes)), bytes);
  }
  EXPECT_GT(accepted, 0u);
}

TEST(EncodedEvent, HiddenBytesAreNotAccepted) {
  const Bytes good = encoded(small());
  const std::size_t words = good.size() / 8;
  {
    Bytes behind = good;
    behind.resize(good.size() + 8);
    EXPECT_FALSE(has_accepted_layout(behind)) << "a word behind the end";
  }
  {
    Bytes gap = good;  // the data one word later, with a secret in between
    gap.insert(gap.begin() + 8 * 13, 8, std::byte{0x53});
    set_word(gap, 7, word_at(gap, 7) + (1u << 2));
    EXPECT_FALSE(has_accepted_layout(gap)) << "a gap before the data";
    const auto fields = read_untrusted(gap);
    ASSERT_TRUE(fields);
    EXPECT_EQ(encoded(*fields), good) << "encoded anew, the secret is gone";
  }
  {
    Bytes shared = good;  // the type points at the stream's text
    set_word(shared, 6, word_at(shared, 5) - (1u << 2));
    EXPECT_FALSE(has_accepted_layout(shared)) << "one text read twice";
  }
  {
    Bytes unreachable = good;
    set_word(unreachable, 7, 0);
    EXPECT_FALSE(has_accepted_layout(unreachable)) << "data that nothing points to";
  }
  EXPECT_FALSE(has_accepted_layout(std::span(good).first(8 * (words - 1)))) << "cut short";
  EXPECT_FALSE(has_accepted_layout({}));
  EXPECT_FALSE(has_accepted_layout(std::span(good).first(good.size() - 4)));
}

TEST(EncodedEvent, TwoWaysOfSayingTheSameAreNotBothAccepted) {
  Bytes json = encoded(small());
  set_word(json, 4, 0);  // no number and no text
  EXPECT_FALSE(has_accepted_layout(json));
  EXPECT_EQ(read_untrusted(json)->content_type, "") << "read as the default";

  EventFields named = small();
  named.content_type = "application/jsoX";
  Bytes bytes = encoded(named);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  bytes[text.find("jsoX") + 3] = std::byte{'n'};
  EXPECT_FALSE(has_accepted_layout(bytes)) << "a common content type as text";

  Bytes time = encoded(small());
  set_word(time, 3, 1);
  EXPECT_FALSE(has_accepted_layout(time)) << "a time that is not said to be one";
}

TEST(EncodedEvent, TagsOutOfOrderOrTwiceAreNotAcceptedButReadInOrder) {
  EventFields fields = full();
  fields.tags = {"b", "a", "b"};
  const Bytes bytes = encoded(fields);
  EXPECT_FALSE(has_accepted_layout(bytes));
  const auto read = read_untrusted(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->tags, (std::pmr::vector<std::string_view>{"a", "b"}));
}

TEST(EncodedEvent, AContentTypeOfANewerVersionIsSaidToBeUnsupported) {
  Bytes bytes = encoded(small());
  set_word(bytes, 4, std::uint64_t{999} << 16);
  EXPECT_FALSE(has_accepted_layout(bytes));
  EXPECT_EQ(read_untrusted(bytes).error().code, ErrorCode::kUnsupported);
}

TEST(EncodedEvent, BytesThatAreNoEventAreAnError) {
  EXPECT_EQ(read_untrusted({}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_untrusted(Bytes(12)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_untrusted(Bytes(64, std::byte{0xff})).error().code, ErrorCode::kInvalidArgument);
}

// ---- form and limits

ErrorCode code_of(const EventFields& fields) {
  const auto checked = check_fields(fields);
  return checked ? ErrorCode{} : checked.error().code;
}

TEST(EncodedEvent, EveryLimitHoldsOnBothSides) {
  struct Limit {
    std::string_view EventFields::*field;
    std::size_t max;
  };
  for (const auto& [field, max] :
       {Limit{&EventFields::stream, kStreamBytesMax}, Limit{&EventFields::type, kTypeBytesMax},
        Limit{&EventFields::content_type, kContentTypeBytesMax}}) {
    const std::string text(max + 1, 'x');
    EventFields fields = small();
    fields.*field = std::string_view(text).substr(0, max);
    EXPECT_EQ(code_of(fields), ErrorCode{});
    fields.*field = text;
    EXPECT_EQ(code_of(fields), ErrorCode::kTooLarge);
  }
  const std::string tag(kTagBytesMax + 1, 't');
  EventFields fields = small();
  fields.tags = {std::string_view(tag).substr(0, kTagBytesMax)};
  EXPECT_EQ(code_of(fields), ErrorCode{});
  fields.tags = {tag};
  EXPECT_EQ(code_of(fields), ErrorCode::kTooLarge);

  std::vector<std::string> many;
  for (std::size_t i = 0; i <= kTagsMax; ++i) many.push_back("t" + std::to_string(1000 + i));
  fields.tags.assign(many.begin(), many.end() - 1);
  EXPECT_EQ(code_of(fields), ErrorCode{});
  EXPECT_TRUE(has_accepted_layout(encoded(fields)));
  fields.tags.assign(many.begin(), many.end());
  EXPECT_EQ(code_of(fields), ErrorCode::kTooLarge);
  EXPECT_FALSE(has_accepted_layout(encoded(fields)));
}

TEST(EncodedEvent, ItsWholeSizeIsLimited) {
  EventFields fields = small();
  const std::string data(kAppendBytesCap, 'd');
  fields.data = {};
  const std::size_t head = encoded_size(fields);
  fields.data = std::string_view(data).substr(0, kAppendBytesCap - head);
  EXPECT_EQ(encoded_size(fields), kAppendBytesCap);
  EXPECT_EQ(code_of(fields), ErrorCode{});
  fields.data = std::string_view(data).substr(0, kAppendBytesCap - head + 1);
  EXPECT_EQ(code_of(fields), ErrorCode::kTooLarge);
}

TEST(EncodedEvent, FormIsCheckedAndTheFieldNamed) {
  const auto message = [](auto change) {
    EventFields fields = small();
    change(fields);
    const auto checked = check_fields(fields);
    return checked ? std::string("accepted") : checked.error().message;
  };
  EXPECT_EQ(message([](auto& f) { f.stream = ""; }), "stream: empty; it is 1 to 500 bytes");
  EXPECT_EQ(message([](auto& f) { f.type = ""; }), "type: empty; it is 1 to 255 bytes");
  EXPECT_EQ(message([](auto& f) { f.tags = {""}; }), "tag: empty; it is 1 to 255 bytes");
  EXPECT_EQ(message([](auto& f) { f.stream = "a\nb"; }),
            "stream: \"a\\x0ab\" holds a control character");
  EXPECT_EQ(message([](auto& f) { f.type = "\xff"; }), "type: \"\\xff\" is not UTF-8");
  EXPECT_EQ(message([](auto& f) { f.stream = "$system"; }),
            "stream: \"$system\" begins with '$'; such names belong to the store");
  EXPECT_EQ(message([](auto& f) { f.id = {}; }), "id: all zeros; every event has an id of its own");
  EXPECT_EQ(message([](auto& f) { f.type = "$type"; }), "accepted");
  EXPECT_EQ(message([](auto& f) { f.data = std::string_view("\0\xff", 2); }), "accepted");
}

// ---- hashes

TEST(EncodedEvent, TheFingerprintIsOfStreamTypeAndDataAlone) {
  const auto fingerprint = [](auto change) {
    EventFields fields = small();
    change(fields);
    return fingerprint_of(encoded(fields));
  };
  const auto same = fingerprint([](auto&) {});
  EXPECT_EQ(fingerprint([](auto& f) { f.metadata = "m", f.tags = {"t"}; }), same);
  EXPECT_EQ(fingerprint([](auto& f) { f.time = Time{}, f.id = EventId::make(); }), same);
  EXPECT_NE(fingerprint([](auto& f) { f.stream = "order-2"; }), same);
  EXPECT_NE(fingerprint([](auto& f) { f.type = "Paid"; }), same);
  EXPECT_NE(fingerprint([](auto& f) { f.data = ""; }), same);
  EXPECT_NE(fingerprint([](auto& f) { f.stream = "order-1P", f.type = "laced"; }), same)
      << "the border between two fields counts";
}

TEST(EncodedEvent, HashesNeverChange) {
  // Footers and records hold them.
  const Bytes bytes = encoded(small());
  EXPECT_EQ(hash_of(bytes), 11244252933614075928u);
  EXPECT_EQ(fingerprint_of(bytes), 1923923015049734595u);
}

}  // namespace
}  // namespace esdb::protocol
