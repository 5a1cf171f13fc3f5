#include "storage/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

using ::testing::SizeIs;

TEST(Prepare, LooksUpWhatARequestNamesAtOneMoment) {
  Begun setup;
  setup.append("", {.events = {event_of("s"), event_of("s", "Seldom")},
                    .tracking = {{.source = "relay", .position = 9}}});
  auto append = one("s");
  append.events.push_back(event_of("t"));
  append.events.push_back(event_of("s"));
  append.checks = {Check::stream("u", Expect::any()), Check::absent(types({"Seldom"})),
                   Check::unchanged(types({"Seldom"}), 3)};
  append.tracking = {{.source = "relay", .position = 10}, {.source = "other", .position = 1}};
  const auto request = setup.request("", encoded(append));
  const auto& prepared = request->prepared;
  EXPECT_EQ(prepared.position, Position{3});
  EXPECT_EQ(prepared.frame, setup.log->durable_frame());
  ASSERT_THAT(prepared.streams, SizeIs(3)) << "each stream once, written or checked";
  EXPECT_EQ(prepared.streams[0].name.text, "s");
  EXPECT_EQ(prepared.streams[0].head.version, Version{2});
  EXPECT_EQ(prepared.streams[0].head.last, Position{3});
  EXPECT_EQ(prepared.streams[1].head.version, Version{0});
  EXPECT_EQ(prepared.events[2].stream, 0U);
  EXPECT_EQ(prepared.checks[0].stream, 2U);
  EXPECT_EQ(prepared.checks[1].conflicting, Position{3});
  EXPECT_EQ(prepared.checks[2].conflicting, Position{0}) << "nothing lies above 3";
  EXPECT_THAT(prepared.tracked, ::testing::ElementsAre(9, 0));
}

TEST(Prepare, DoesNotSeeWhatIsNotDurable) {
  Begun setup;
  setup.io.hold();
  setup.append("", {.events = {event_of("s")}, .tracking = {{.source = "relay", .position = 9}}});
  auto append = one("s");
  append.checks = {Check::absent(stream("s"))};
  append.tracking = {{.source = "relay", .position = 10}};
  const auto request = setup.request("", encoded(append));
  EXPECT_EQ(request->prepared.position, Position{1});
  EXPECT_EQ(request->prepared.streams[0].head.version, Version{0});
  EXPECT_EQ(request->prepared.checks[0].conflicting, Position{0});
  EXPECT_EQ(request->prepared.tracked[0], 0U);
}

TEST(Prepare, KeepsThatACheckLooksBeyondTheLogAndLooksUpTheRest) {
  Begun setup;
  const auto append = expecting(one("s"), "s", Expect::none());
  setup.append("", append);
  auto again = append;
  again.checks.insert(again.checks.begin(),
                      {Check::unchanged(everything(), 3), Check::unchanged(everything(), 1000)});
  const auto request = setup.request("", encoded(again));
  ASSERT_TRUE(request->prepared.other_store);
  EXPECT_EQ(request->prepared.other_store->code, ErrorCode::kOtherStore);
  EXPECT_NE(request->prepared.other_store->message.find("check 0"), std::string::npos);
  EXPECT_TRUE(request->prepared.retry_of);
}

TEST(Prepare, ComparesTheCommitThatViolatesACheck) {
  Begun setup;
  AppendRequest append;
  for (int i = 0; i < 40; ++i)  // more than one read takes
    append.events.push_back(event_of("s" + std::to_string(i % 3), "T", std::string(60'000, 'x')));
  append.checks = {Check::stream("s1", Expect::none())};
  setup.append("", append);
  setup.append("", one("s1"));
  EXPECT_EQ(setup.request("", encoded(append))->prepared.retry_of->last, Position{41});

  auto shorter = append;
  shorter.events.pop_back();
  const auto other = setup.request("", encoded(shorter));
  EXPECT_FALSE(other->prepared.retry_of);
  ASSERT_TRUE(other->prepared.id_conflict);
  EXPECT_EQ(other->prepared.id_conflict->position, Position{2});

  auto longer = append;
  longer.events.push_back(event_of("s1"));
  EXPECT_FALSE(setup.request("", encoded(longer))->prepared.retry_of);

  const auto foreign = setup.request("", encoded(expecting(one("s1"), "s1", Expect::none())));
  EXPECT_FALSE(foreign->prepared.retry_of);
  EXPECT_FALSE(foreign->prepared.id_conflict);
}

TEST(Prepare, ADamagedRecordThatHasToBeComparedIsAnError) {
  WriterSetup setup({.segment_bytes = 1 << 20, .background_inline = true});
  const auto append = expecting(large("s", 100 * kKiB), "s", Expect::none());
  setup.append("", append);
  for (int i = 0; i < 30; ++i) setup.append("", large("t", 100 * kKiB));
  ASSERT_GT(setup.log->segments(), 2U);
  for (const auto operation : {Operation::kRead, Operation::kRingRead})
    setup.io.add({.operation = operation, .times = 1'000, .path = "00000001.seg"});
  Request request;
  request.parts = encoded(append).parts;
  const auto prepared = prepare(request, setup.sources());
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, ErrorCode::kCorrupt);
}

TEST(Repeated, IsTheFirstAnswerOfACommit) {
  Begun setup;
  setup.append("first", {.events = {event_of("s"), event_of("t"), event_of("s")}});
  setup.append("later", one("s"));
  const auto& first = *setup.find("first")->result;
  const auto again = repeated({first.first, first.last}, *setup.log).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, first.first);
  EXPECT_EQ(again.last, first.last);
  EXPECT_EQ(again.committed, first.committed);
  ASSERT_THAT(again.streams, SizeIs(first.streams.size()));
  for (std::size_t i = 0; i < again.streams.size(); ++i) {
    EXPECT_EQ(again.streams[i].stream, first.streams[i].stream);
    EXPECT_EQ(again.streams[i].version, first.streams[i].version);
  }
}

}  // namespace
}  // namespace esdb::storage
