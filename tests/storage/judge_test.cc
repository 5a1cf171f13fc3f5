#include "storage/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/encoded_event.h"
#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

using Kind = Verdict::Kind;
using ::testing::SizeIs;

// Requests are prepared when they are made; what is appended later they are judged upon.
struct Judges : Begun {
  Judges() : Judges(Options{}) {}
  explicit Judges(const Options& with) : Begun(with) {}

  RequestPtr prepared(const AppendRequest& append) { return request("", encoded(append)); }
  Verdict verdict(const RequestPtr& request) { return judge(*request, *log, tail, window); }
  Verdict verdict(const AppendRequest& append) { return verdict(prepared(append)); }
  // After the one comparison in the log that the judge asks for.
  Verdict compared(const AppendRequest& append) {
    auto request = prepared(append);
    const auto first = verdict(request);
    EXPECT_EQ(first.kind, Kind::kPrepareAgain);
    EXPECT_TRUE(first.compare);
    request->compare = first.compare;
    if (auto ok = prepare(*request, sources()); !ok) ADD_FAILURE() << ok.error().message;
    return verdict(request);
  }
};

// Until every segment but the open one is sealed: what lies in those is no longer in memory.
void seal_all_behind(Judges& judges) {
  const auto segments = judges.log->segments();
  const auto work = [&] {
    while (judges.log->background_step(std::chrono::steady_clock::now()).value()) {
    }
  };
  for (int i = 0; judges.log->segments() == segments; ++i) {
    ASSERT_LT(i, 100);
    work();
    judges.append("", large("other", 200 * kKiB));
  }
  work();
}

// One that only the store itself may append.
EncodedAppend event_of_the_system() {
  const auto parts = std::make_shared<Parts>();
  auto& bytes = parts->bytes;
  protocol::encode({.id = EventId::make(), .stream = "$groups", .type = "Happened"}, bytes);
  parts->events.push_back({.encoded = bytes,
                           .id = protocol::id_of(bytes),
                           .stream = protocol::stream_of(bytes),
                           .type = protocol::type_of(bytes),
                           .hash = protocol::hash_of(bytes),
                           .fingerprint = protocol::fingerprint_of(bytes)});
  return {.parts = parts};
}

AppendRequest checking(Check check) { return {.events = {event_of("new")}, .checks = {check}}; }

TEST(Judge, WhatHoldsIsAcceptedBeforeAndAfterItIsOvertaken) {
  Judges judges;
  const auto none = judges.prepared(checking(Check::stream("s", Expect::none())));
  const auto exists = judges.prepared(checking(Check::stream("s", Expect::exists())));
  const auto exactly = judges.prepared(checking(Check::stream("s", Expect::exactly(1))));
  EXPECT_EQ(judges.verdict(none).kind, Kind::kAccept);
  EXPECT_EQ(judges.verdict(exists).kind, Kind::kRefuse);
  EXPECT_EQ(judges.verdict(exactly).kind, Kind::kRefuse);
  judges.append("s", one("s"));
  EXPECT_EQ(judges.verdict(none).kind, Kind::kRefuse);
  EXPECT_EQ(judges.verdict(exists).kind, Kind::kAccept);
  EXPECT_EQ(judges.verdict(exactly).kind, Kind::kAccept);
  judges.append("s", one("s"));
  const auto refused = judges.verdict(exactly);
  EXPECT_EQ(refused.kind, Kind::kRefuse);
  EXPECT_EQ(refused.error.violations.at(0).actual, Version{2});
  EXPECT_EQ(refused.rests_on, Position{3});
}

TEST(Judge, AStreamWithAnyVersionHoldsWhateverWasAppended) {
  Judges judges;
  const auto any = judges.prepared(checking(Check::stream("s", Expect::any())));
  EXPECT_EQ(judges.verdict(any).kind, Kind::kAccept);
  judges.append("s", one("s"));
  EXPECT_EQ(judges.verdict(any).kind, Kind::kAccept);
}

TEST(Judge, QueriesAreJudgedUponWhatIsLaidOutAndNotYetDurable) {
  Judges judges;
  const auto absent = judges.prepared(checking(Check::absent(types({"Seldom"}))));
  const auto unchanged = judges.prepared(checking(Check::unchanged(everything(), 1)));
  EXPECT_EQ(judges.verdict(absent).kind, Kind::kAccept);
  EXPECT_EQ(judges.verdict(unchanged).kind, Kind::kAccept);
  judges.io.hold();
  judges.append("", {.events = {event_of("s", "Seldom")}});
  const auto refused = judges.verdict(absent);
  EXPECT_EQ(refused.kind, Kind::kRefuse);
  EXPECT_EQ(refused.error.code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(refused.error.violations.at(0).conflicting, Position{2});
  EXPECT_EQ(refused.rests_on, Position{2});
  EXPECT_EQ(judges.verdict(unchanged).error.code, ErrorCode::kConflict);
}

TEST(Judge, AQueryIsViolatedByWhatMeetsAllOfOneItem) {
  Judges judges;
  struct Case {
    const char* what;
    Query query;
    Kind kind;
  };
  const Case cases[] = {
      {"stream", Query({.streams = {"x-9", "a-1"}}), Kind::kRefuse},
      {"another stream", Query({.streams = {"x-9", "a-2"}}), Kind::kAccept},
      {"category", Query({.categories = {"a"}}), Kind::kRefuse},
      {"stream or category", Query({.streams = {"x-9"}, .categories = {"a"}}), Kind::kRefuse},
      {"another category", Query({.categories = {"x"}}), Kind::kAccept},
      {"one of the types", Query({.types = {"Other", "Seldom"}}), Kind::kRefuse},
      {"another type", Query({.types = {"Other"}}), Kind::kAccept},
      {"both tags", Query({.tags = {"k:1", "k:2"}}), Kind::kRefuse},
      {"one tag of two", Query({.tags = {"k:1", "k:3"}}), Kind::kAccept},
      {"type of one event, tag of another", Query({.types = {"Common"}, .tags = {"k:1"}}),
       Kind::kAccept},
      {"stream and type and tag", Query({.streams = {"a-1"}, .types = {"Seldom"}, .tags = {"k:1"}}),
       Kind::kRefuse},
      {"the second item", types({"Other"}) | stream("a-1"), Kind::kRefuse},
  };
  std::vector<RequestPtr> requests;
  for (const auto& one : cases)
    requests.push_back(judges.prepared(checking(Check::unchanged(one.query, 1))));
  for (const auto& request : requests) EXPECT_EQ(judges.verdict(request).kind, Kind::kAccept);
  judges.io.hold();
  auto seldom = event_of("a-1", "Seldom");
  seldom.tags = {"k:1", "k:2"};
  judges.append("", {.events = {seldom, event_of("b-1", "Common")}});
  for (std::size_t i = 0; i < requests.size(); ++i)
    EXPECT_EQ(judges.verdict(requests[i]).kind, cases[i].kind) << cases[i].what;
}

TEST(Judge, WhatAQueryMeetsInASealedSegmentIsPreparedAgain) {
  Judges judges({.segment_bytes = 1 << 20});
  const auto absent = judges.prepared(checking(Check::absent(types({"Seldom"}))));
  judges.append("", {.events = {event_of("s", "Seldom")}});
  EXPECT_EQ(judges.verdict(absent).kind, Kind::kRefuse);
  seal_all_behind(judges);
  const auto verdict = judges.verdict(absent);
  EXPECT_EQ(verdict.kind, Kind::kPrepareAgain);
  EXPECT_FALSE(verdict.compare) << "no id of it was found";
  ASSERT_TRUE(prepare(*absent, judges.sources()));
  const auto refused = judges.verdict(absent);
  EXPECT_EQ(refused.kind, Kind::kRefuse);
  EXPECT_EQ(refused.error.violations.at(0).conflicting, Position{2});
}

TEST(Judge, EventsOfTheSystemViolateNoCheck) {
  Judges judges;
  const auto unchanged = judges.prepared(checking(Check::unchanged(everything(), 1)));
  judges.put(judges.request("system", event_of_the_system()));
  judges.writer.advance();
  ASSERT_TRUE(judges.appended("system"));
  EXPECT_EQ(judges.verdict(unchanged).kind, Kind::kAccept);
  judges.append("", one("s"));
  const auto refused = judges.verdict(unchanged);
  EXPECT_EQ(refused.kind, Kind::kRefuse);
  EXPECT_EQ(refused.error.violations.at(0).conflicting, Position{3});
}

TEST(Judge, WhatWasPreparedBeforeAGenerationThatIsGoneIsPreparedAgain) {
  Judges judges({.keeps_everything = false});
  const auto early = judges.prepared(one("s"));
  judges.append("", one("other"));
  judges.tail.freeze();
  EXPECT_EQ(judges.verdict(early).kind, Kind::kAccept);
  judges.tail.drop_oldest();
  EXPECT_EQ(judges.verdict(early).kind, Kind::kAccept) << "it is in the writer's view still";
  judges.writer.advance();
  EXPECT_EQ(judges.verdict(early).kind, Kind::kPrepareAgain);
  ASSERT_TRUE(prepare(*early, judges.sources()));
  EXPECT_EQ(judges.verdict(early).kind, Kind::kAccept);
}

TEST(Judge, EveryViolationIsTold) {
  Judges judges;
  judges.append(
      "", {.events = {event_of("s", "Seldom")}, .tracking = {{.source = "relay", .position = 5}}});
  const auto verdict = judges.verdict(
      {.events = {event_of("new")},
       .checks = {Check::stream("s", Expect::none()), Check::stream("t", Expect::none()),
                  Check::absent(types({"Seldom"})), Check::unchanged(stream("s"), 1)},
       .tracking = {{.source = "relay", .position = 5}}});
  ASSERT_EQ(verdict.kind, Kind::kRefuse);
  EXPECT_EQ(verdict.error.code, ErrorCode::kAlreadyTracked);
  EXPECT_THAT(verdict.error.violations, SizeIs(4));
  EXPECT_TRUE(verdict.rests_on_tracking);
}

TEST(Judge, ARetryIsFoundByItsIdsWhateverItsChecksSay) {
  Judges judges;
  const auto append = expecting({.events = {event_of("s"), event_of("t")}}, "s", Expect::none());
  judges.append("", append);
  judges.append("", one("s"));
  const auto verdict = judges.verdict(append);
  ASSERT_EQ(verdict.kind, Kind::kRepeat);
  EXPECT_EQ(verdict.commit.first, Position{2});
  EXPECT_EQ(verdict.commit.last, Position{3});
}

TEST(Judge, OtherOccurrencesOfAnIdAreConflicts) {
  Judges judges;
  const AppendRequest append{.events = {event_of("s"), event_of("t"), event_of("u")}};
  judges.append("", append);
  const auto& events = append.events;
  auto other_data = events;
  other_data[1].data = "other";
  auto other_stream = events;
  other_stream[2].stream = "elsewhere";
  for (const auto& made :
       std::vector<std::vector<NewEvent>>{{events[0]},
                                          {events[1]},
                                          {events[0], events[1]},
                                          {events[1], events[0], events[2]},
                                          {events[0], events[1], events[2], event_of("s")},
                                          {event_of("s"), events[0]},
                                          other_data,
                                          other_stream}) {
    const auto verdict = judges.verdict({.events = made});
    EXPECT_EQ(verdict.kind, Kind::kRefuse);
    EXPECT_EQ(verdict.error.code, ErrorCode::kIdConflict);
  }
}

TEST(Judge, AnIdWithMoreEventsBeforeItThanTheLogHasIsAConflict) {
  WriterSetup store;
  const auto first = one("s");
  store.append("first", first);
  ASSERT_TRUE(store.appended("first"));
  const auto made = encoded({.events = {event_of("s"), first.events.front()}});
  const auto verdict = judge_ids(*made.parts, store.window);
  EXPECT_EQ(verdict.kind, Kind::kRefuse);
  EXPECT_EQ(verdict.error.code, ErrorCode::kIdConflict);
  EXPECT_EQ(verdict.rests_on, Position{1});
}

// The log holds whole commits, but a window comes from footers, and one of them might lie.
TEST(Judge, ACommitThatTheWindowEndsWithinIsNoRetry) {
  const auto append = encoded({.events = {event_of("s"), event_of("t")}});
  const auto& first = append.parts->events.front();
  IdWindow window(8);
  window.add(1, IdWindow::entry(first.id, first.fingerprint, false));
  const auto verdict = judge_ids(*append.parts, window);
  EXPECT_EQ(verdict.kind, Kind::kRefuse);
  EXPECT_EQ(verdict.error.code, ErrorCode::kIdConflict);
  EXPECT_EQ(verdict.rests_on, Position{1});
}

TEST(Judge, ARetryBeyondTheWindowIsFoundThroughTheCheckThatItsOwnEventsViolate) {
  for (const auto& check : {Check::stream("s", Expect::none()), Check::absent(stream("s")),
                            Check::unchanged(types({"Happened"}), 1)}) {
    Judges judges({.window = 1});
    AppendRequest append{.events = {event_of("s"), event_of("t")}, .checks = {check}};
    judges.append("", append);
    judges.append("", one("other"));
    const auto verdict = judges.verdict(append);
    ASSERT_EQ(verdict.kind, Kind::kRepeat);
    EXPECT_EQ(verdict.commit.first, Position{2});
    EXPECT_EQ(verdict.commit.last, Position{3});
  }
}

// The window has lost the beginning of the commit, or what shows that it is the beginning.
TEST(Judge, ARetryOfWhichTheWindowHoldsAPartIsComparedInTheLog) {
  for (const std::size_t held : {1, 2, 3}) {
    Judges judges({.window = held});
    const AppendRequest append{.events = {event_of("s"), event_of("t"), event_of("u")}};
    judges.append("", append);
    const auto verdict = judges.compared(append);
    ASSERT_EQ(verdict.kind, Kind::kRepeat) << held << " ids held";
    EXPECT_EQ(verdict.commit.first, Position{2});
    EXPECT_EQ(verdict.commit.last, Position{4});
    EXPECT_EQ(verdict.rests_on, Position{4});
  }
}

TEST(Judge, AnotherAppendOfWhichTheWindowHoldsAPartIsAConflictOnceItIsCompared) {
  const AppendRequest append{.events = {event_of("s"), event_of("t"), event_of("u")}};
  const auto& events = append.events;
  auto other_data = events;
  other_data[0].data = "other";
  auto other_first = events;
  other_first[0] = event_of("s");
  for (const auto& made : std::vector<std::vector<NewEvent>>{
           other_data, other_first, {events[1], events[2]}, {event_of("s"), events[1]}}) {
    Judges judges({.window = 2});
    judges.append("", append);
    const auto verdict = judges.compared({.events = made});
    EXPECT_EQ(verdict.kind, Kind::kRefuse);
    EXPECT_EQ(verdict.error.code, ErrorCode::kIdConflict);
    EXPECT_EQ(verdict.rests_on, Position{0}) << "it was compared where it is durable";
  }
}

TEST(Judge, WhatWasComparedHoldsWhenTheWindowHasMovedOnWithinTheCommit) {
  Judges judges({.window = 2});
  const AppendRequest append{.events = {event_of("s"), event_of("t"), event_of("u")}};
  judges.append("", append);
  auto request = judges.prepared({.events = {append.events[1], append.events[2]}});
  request->compare = judges.verdict(request).compare;
  ASSERT_TRUE(prepare(*request, judges.sources()));
  for (int moved = 0; moved < 3; ++moved) {  // from within the commit to behind it
    judges.append("", one("other"));
    EXPECT_EQ(judges.verdict(request).error.code, ErrorCode::kIdConflict) << moved;
  }
}

TEST(Judge, TheStoresFirstCommitIsComparedAsAnyOther) {
  WriterSetup store({.window = 2});
  const AppendRequest append{.events = {event_of("s"), event_of("t"), event_of("u")}};
  store.append("first", append);
  ASSERT_TRUE(store.appended("first"));
  auto request = store.request("again", encoded(append));
  const auto first = judge(*request, *store.log, store.tail, store.window);
  ASSERT_EQ(first.kind, Kind::kPrepareAgain);
  request->compare = first.compare;
  ASSERT_TRUE(prepare(*request, store.sources()));
  const auto second = judge(*request, *store.log, store.tail, store.window);
  EXPECT_EQ(second.kind, Kind::kRepeat);
  EXPECT_EQ(second.commit.first, Position{1});
}

// The event that violates its check came after it was prepared, and has left the window: whether it
// is this append's own cannot be told without the log.
TEST(Judge, WhatCameAboveThePreparationAndLeftTheWindowIsPreparedAgain) {
  Judges judges({.window = 1});
  const auto append = expecting(one("s"), "s", Expect::none());
  auto early = judges.prepared(append);
  judges.append("", append);
  judges.append("", one("other"));
  EXPECT_EQ(judges.verdict(early).kind, Kind::kPrepareAgain);
  ASSERT_TRUE(prepare(*early, judges.sources()));
  EXPECT_EQ(judges.verdict(early).kind, Kind::kRepeat);
}

// The violated check leads to a commit that the window has let go of.
TEST(Judge, AnIdInTheCommitThatViolatesACheckIsAConflict) {
  Judges judges({.window = 1});
  const AppendRequest append{.events = {event_of("s"), event_of("t")}};
  judges.append("", append);
  judges.append("", one("other"));
  const auto verdict =
      judges.verdict(expecting({.events = {append.events[1]}}, "s", Expect::none()));
  EXPECT_EQ(verdict.kind, Kind::kRefuse);
  EXPECT_EQ(verdict.error.code, ErrorCode::kIdConflict);
  EXPECT_EQ(verdict.rests_on, Position{2});
}

TEST(Judge, WhatWasViolatedWhenItWasPreparedIsRefusedWhateverHasLeftTheWindowSince) {
  Judges judges({.window = 1});
  judges.append("", one("s"));
  judges.append("", one("s"));
  const auto request = judges.prepared(expecting(one("new"), "s", Expect::exactly(1)));
  judges.append("", one("s"));
  judges.append("", one("other"));
  const auto verdict = judges.verdict(request);
  ASSERT_EQ(verdict.kind, Kind::kRefuse);
  EXPECT_EQ(verdict.error.violations.at(0).actual, Version{3});
}

TEST(Judge, ACheckBeyondTheLogIsOfAnotherStoreUnlessItIsARetry) {
  Judges judges({.window = 2});
  auto append = expecting({.events = {event_of("s"), event_of("t")}}, "s", Expect::none());
  append.checks.push_back(Check::unchanged(everything(), 1000));
  EXPECT_EQ(judges.verdict(append).error.code, ErrorCode::kOtherStore);
  auto first = append;
  first.checks.clear();
  judges.append("", first);
  EXPECT_EQ(judges.verdict(append).kind, Kind::kRepeat) << "by its ids";
  judges.append("", one("other"));
  EXPECT_EQ(judges.verdict(append).kind, Kind::kRepeat) << "by its check";
  judges.append("", one("other"));
  EXPECT_EQ(judges.verdict(append).kind, Kind::kRepeat) << "by its check alone";
  append.events.pop_back();
  EXPECT_EQ(judges.verdict(append).error.code, ErrorCode::kIdConflict);
  append.events = {event_of("t")};
  EXPECT_EQ(judges.verdict(append).error.code, ErrorCode::kOtherStore);
}

// What its checks show is compared whole; the window may have lost the beginning.
TEST(Judge, ARetryThatItsChecksShowIsAnsweredWhereTheWindowHoldsAPartOfIt) {
  for (const std::size_t held : {1, 2, 3}) {
    Judges judges({.window = held});
    const auto append =
        expecting({.events = {event_of("s"), event_of("t"), event_of("u")}}, "s", Expect::none());
    judges.append("", append);
    const auto verdict = judges.verdict(append);
    ASSERT_EQ(verdict.kind, Kind::kRepeat) << held << " ids held";
    EXPECT_EQ(verdict.commit.first, Position{2});
    EXPECT_EQ(verdict.commit.last, Position{4});
  }
}

TEST(Judge, AnAppendOfTrackingAloneIsRefusedTheSecondTime) {
  Judges judges;
  const AppendRequest append{
      .tracking = {{.source = "a", .position = 3}, {.source = "b", .position = 1}}};
  EXPECT_EQ(judges.verdict(append).kind, Kind::kAccept);
  judges.append("", append);
  const auto verdict = judges.verdict(append);
  EXPECT_EQ(verdict.kind, Kind::kRefuse);
  EXPECT_EQ(verdict.error.code, ErrorCode::kAlreadyTracked);
  EXPECT_THAT(verdict.error.violations, SizeIs(2));
  EXPECT_EQ(verdict.error.violations[0].conflicting, Position{3});
}

TEST(Judge, ARefusalByTrackingThatHasLeftTheTailRestsOnNothingInFlight) {
  Judges judges({.keeps_everything = false});
  const AppendRequest append{.tracking = {{.source = "relay", .position = 3}}};
  judges.append("", append);
  const auto again = judges.prepared(append);
  EXPECT_TRUE(judges.verdict(again).rests_on_tracking);
  judges.tail.freeze();
  judges.tail.drop_oldest();
  judges.writer.advance();
  const auto verdict = judges.verdict(again);
  EXPECT_EQ(verdict.error.code, ErrorCode::kAlreadyTracked)
      << "it was prepared upon the last frame";
  EXPECT_FALSE(verdict.rests_on_tracking);
}

}  // namespace
}  // namespace esdb::storage
