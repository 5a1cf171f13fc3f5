#include "protocol/wire.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include "esdb/limits.h"

namespace esdb::protocol {
namespace {

using namespace std::chrono_literals;

// What comes out at the other side of the wire.
template <class Wire, class Value>
auto crossed(const Value& value) {
  capnp::MallocMessageBuilder message;
  put(value, message.initRoot<Wire>());
  return get(message.getRoot<Wire>().asReader());
}

TEST(Wire, AnErrorOfACodeThatIsNotKnownIsUnsupportedAndKeepsItsMessage) {
  capnp::MallocMessageBuilder message;
  auto error = message.initRoot<Error>();
  error.setCode(77);
  error.setMessage("from the future");
  const auto got = get(error.asReader());
  EXPECT_EQ(got.code, ErrorCode::kUnsupported);
  EXPECT_NE(got.message.find("77"), std::string::npos);
  EXPECT_NE(got.message.find("from the future"), std::string::npos);
}

TEST(Wire, AQueryKeepsItsItems) {
  const auto query = (stream("a-1") | category("b")) |
                     types({"Placed", "Paid"}).tagged({{"course", "c1"}, {"student", "s"}});
  const auto got = crossed<Query>(query);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(to_string(*got), to_string(query));
}

TEST(Wire, AQueryOfMoreThanTheLimitsIsRefusedBeforeItIsMade) {
  capnp::MallocMessageBuilder items, names, bytes;
  items.initRoot<Query>().initItems(kQueryItemsMax + 1);
  EXPECT_FALSE(get(items.getRoot<Query>().asReader()));
  names.initRoot<Query>().initItems(1)[0].initTypes(kQueryNamesMax + 1);
  EXPECT_FALSE(get(names.getRoot<Query>().asReader()));
  bytes.initRoot<Query>().initItems(1)[0].initTags(1).set(
      0, std::string(kTagBytesMax + 1, 'x').c_str());
  EXPECT_FALSE(get(bytes.getRoot<Query>().asReader()));
  bytes.initRoot<Query>().initItems(1)[0].initTags(1).set(0,
                                                          std::string(kTagBytesMax, 'x').c_str());
  EXPECT_TRUE(get(bytes.getRoot<Query>().asReader()));
}

TEST(Wire, EveryStartArrivesAsItIs) {
  const esdb::Checkpoint checkpoint{.store_id = "store", .epoch_id = "epoch", .position = 9};
  for (const auto& start : {esdb::Start::beginning(), esdb::Start::end(),
                            esdb::Start::after(Position{7}), esdb::Start::after(checkpoint),
                            esdb::Start::after_version(Version{3}), esdb::Start::since(Time{5s})}) {
    const auto got = crossed<Start>(start);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->kind, start.kind);
    EXPECT_EQ(got->number, start.number);
    EXPECT_EQ(got->time, start.time);
    EXPECT_EQ(got->checkpoint, start.checkpoint);
  }
}

TEST(Wire, ReadOptionsKeepWhatIsSaidAndWhatIsNot) {
  const esdb::ReadOptions said{.start = esdb::Start::after(Position{1}),
                               .direction = Direction::kBackwards,
                               .limit = 5,
                               .up_to = Position{10},
                               .since = Time{1s},
                               .until = Time{2s}};
  const auto got = crossed<ReadOptions>(said).value();
  EXPECT_EQ(got.direction, said.direction);
  EXPECT_EQ(got.limit, said.limit);
  EXPECT_EQ(got.up_to, said.up_to);
  EXPECT_EQ(got.since, said.since);
  EXPECT_EQ(got.until, said.until);
  const auto unsaid = crossed<ReadOptions>(esdb::ReadOptions{}).value();
  EXPECT_EQ(unsaid.limit, esdb::ReadOptions{}.limit);
  EXPECT_FALSE(unsaid.up_to || unsaid.since || unsaid.until);
}

TEST(Wire, WhatWasAppendedArrives) {
  const esdb::Appended appended{.first = 3,
                                .last = 5,
                                .committed = Time{7ns},
                                .repeated = true,
                                .streams = {{"a", 1}, {"b", 2}}};
  const auto got = crossed<Appended>(appended);
  EXPECT_EQ(got.first, appended.first);
  EXPECT_EQ(got.last, appended.last);
  EXPECT_EQ(got.committed, appended.committed);
  EXPECT_TRUE(got.repeated);
  ASSERT_EQ(got.streams.size(), 2u);
  EXPECT_EQ(got.streams[1].stream, "b");
  EXPECT_EQ(got.version(), Version{2});
}

TEST(Wire, DurationsAreCutToADay) {
  EXPECT_EQ(from_wire(to_wire(250ms)), 250ms);
  EXPECT_EQ(from_wire(to_wire(-5ms)), 0ms);
  EXPECT_EQ(from_wire(to_wire(kForever)), std::chrono::milliseconds(std::chrono::days{1}));
  EXPECT_EQ(from_wire(~std::uint64_t{0}), std::chrono::milliseconds(std::chrono::days{1}));
}

}  // namespace
}  // namespace esdb::protocol
