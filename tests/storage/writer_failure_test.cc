#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "storage/writer.h"
#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// ---- failing writes

TEST(Writer, AFailedWriteEndsWritingAndItsOutcomeIsUnknown) {
  Begun setup;
  setup.io.add({.operation = Operation::kRingWrite, .error = EIO});
  setup.append("failed", one("s"));
  EXPECT_EQ(setup.code("failed"), ErrorCode::kOutcomeUnknown);
  EXPECT_TRUE(setup.writer.is_read_only());
  EXPECT_THAT(setup.writer.state(), HasSubstr("Input/output error"));
  EXPECT_EQ(setup.log->durable(), Position{1});
  setup.append("later", one("t"));
  EXPECT_EQ(setup.code("later"), ErrorCode::kReadOnly);
  EXPECT_FALSE(setup.writer.has_work());
  BatchMemory memory;
  EXPECT_TRUE(setup.log->read_forwards(0, 1, {.bytes = 1}, memory)) << "reads go on";
}

TEST(Writer, AWriteOfWhichAPartWasDoneIsAFailureToo) {
  Begun setup;
  setup.io.add({.operation = Operation::kRingWrite, .error = EIO, .done = 512});
  setup.append("failed", one("s"));
  EXPECT_EQ(setup.code("failed"), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(setup.log->durable(), Position{1});
}

TEST(Writer, WhatIsInFlightBehindAFailedWriteIsUnknownAlthoughItWasWritten) {
  Begun setup;
  setup.io.hold();
  setup.append("first", large("s", 300 * kKiB));
  setup.io.add({.operation = Operation::kRingWrite, .error = EIO});
  setup.append("second", large("s", 300 * kKiB));
  setup.append("third", large("s", 300 * kKiB));
  setup.append("waits", one("s"));
  const auto held = setup.io.held();
  ASSERT_THAT(held, SizeIs(3));
  setup.io.release(held[1]);
  setup.writer.advance();
  EXPECT_TRUE(setup.writer.is_read_only());
  EXPECT_EQ(setup.code("waits"), ErrorCode::kReadOnly)
      << "it was not taken up: nothing was written";
  EXPECT_THAT(setup.names(), ElementsAre("waits")) << "the bytes of the others may still be read";
  setup.io.release(held[0]);
  setup.io.release(held[2]);
  setup.writer.advance();
  EXPECT_EQ(setup.code("first"), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(setup.code("second"), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(setup.code("third"), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(setup.log->durable(), Position{1}) << "the durable position stands still";
  EXPECT_TRUE(setup.writer.is_idle());
}

TEST(Writer, ARefusalThatRestsOnAFailedCommitBecomesReadOnly) {
  Begun setup;
  setup.io.hold();
  setup.io.add({.operation = Operation::kRingWrite, .error = EIO});
  const auto first = large("s", 300 * kKiB);
  setup.append("first", first);
  setup.append("refused", expecting(large("u", 300 * kKiB), "s", Expect::none()));
  setup.append("retry", first);
  auto other = first;
  other.events.push_back(event_of("s", "Happened", std::string(300 * kKiB, 'y')));
  setup.append("conflict", other);
  setup.io.release();
  setup.writer.advance();
  EXPECT_EQ(setup.code("first"), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(setup.code("refused"), ErrorCode::kReadOnly);
  EXPECT_EQ(setup.code("retry"), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(setup.code("conflict"), ErrorCode::kReadOnly) << "told of an id, it would rest on it";
}

TEST(Writer, RetriesWhileReadOnlyAreToldWhatIsKnown) {
  Begun setup;
  const auto durable = one("d");
  setup.append("durable", durable);
  setup.io.add({.operation = Operation::kRingWrite, .error = EIO});
  const auto failed = one("s");
  setup.append("failed", failed);
  setup.append("unknown", failed);
  EXPECT_EQ(setup.code("unknown"), ErrorCode::kOutcomeUnknown);
  setup.append("repeated", durable);
  ASSERT_TRUE(setup.appended("repeated"));
  EXPECT_TRUE(setup.find("repeated")->result->repeated);
  auto mixed = failed;
  mixed.events.push_back(event_of("new"));
  setup.append("mixed", mixed);
  EXPECT_EQ(setup.code("mixed"), ErrorCode::kReadOnly);
}

TEST(Writer, ADurableRetryThatItsChecksShowIsToldWhileReadOnlyToo) {
  Begun setup({.window = 1});
  const auto durable = expecting(one("d"), "d", Expect::none());
  setup.append("durable", durable);
  setup.append("other", one("o"));
  setup.io.add({.operation = Operation::kRingWrite, .error = EIO});
  setup.append("failed", one("s"));
  setup.append("repeated", durable);
  ASSERT_TRUE(setup.appended("repeated"));
  EXPECT_TRUE(setup.find("repeated")->result->repeated);
}

TEST(Writer, ADurableRetryThatItsChecksAndItsIdsShowIsToldWhileReadOnly) {
  Begun setup;
  const auto durable = expecting(one("d"), "d", Expect::none());
  setup.append("durable", durable);
  setup.writer.fail("the device is gone");
  setup.append("repeated", durable);
  ASSERT_TRUE(setup.appended("repeated"));
  EXPECT_TRUE(setup.find("repeated")->result->repeated);
}

TEST(Writer, ADurableRetryOfWhichTheWindowHoldsAPartIsToldWhileReadOnlyToo) {
  Begun setup({.window = 1});
  const AppendRequest durable{.events = {event_of("d"), event_of("d")}};
  setup.append("durable", durable);
  setup.writer.fail("the device failed");
  auto blocking = setup.request("repeated", encoded(durable));
  blocking->phase = std::make_shared<std::atomic<Request::Phase>>(Request::Phase::kQueued);
  setup.put(std::move(blocking));
  setup.append("other", {.events = {durable.events[1]}});
  ASSERT_THAT(setup.to_prepare, SizeIs(2));
  for (auto& request : setup.to_prepare) setup.prepare_again(std::move(request));
  setup.writer.advance();
  ASSERT_TRUE(setup.appended("repeated"));
  EXPECT_TRUE(setup.find("repeated")->result->repeated);
  EXPECT_EQ(setup.code("other"), ErrorCode::kReadOnly);
}

TEST(Writer, AnAppendOfWhichTheWindowHoldsAPartOfAFailedCommitIsUnknown) {
  Begun setup({.window = 1});
  const AppendRequest failed{.events = {event_of("s"), event_of("s")}};
  setup.io.add({.operation = Operation::kRingWrite, .error = EIO});
  setup.append("failed", failed);
  setup.append("again", failed);
  EXPECT_THAT(setup.to_prepare, IsEmpty()) << "what is not durable cannot be compared";
  EXPECT_EQ(setup.code("again"), ErrorCode::kOutcomeUnknown);
}

TEST(Writer, AFailedEpochFrameFailsTheFirstAppend) {
  for (const std::uint64_t nth : {1, 2}) {
    WriterSetup setup;
    setup.io.add({.operation = Operation::kRingWrite, .nth = nth, .error = EIO});
    setup.append("first", one("s"));
    EXPECT_EQ(setup.code("first"), ErrorCode::kOutcomeUnknown) << nth;
    EXPECT_EQ(setup.log->durable(), Position{0});
    EXPECT_TRUE(setup.writer.is_idle());
  }
}

TEST(Writer, ADeviceThatFailsInTheBackgroundEndsWriting) {
  Begun setup;
  setup.io.hold();
  setup.append("flying", one("s"));
  setup.writer.fail("the footer could not be written");
  setup.append("later", one("s"));
  EXPECT_EQ(setup.code("later"), ErrorCode::kReadOnly);
  setup.io.release();
  setup.writer.advance();
  EXPECT_EQ(setup.code("flying"), ErrorCode::kOutcomeUnknown);
}

// ---- deadlines, stops, callers that give up

TEST(Writer, WhatIsLateStoppedOrAbandonedIsNotTakenUp) {
  Begun setup({.inbox = {.count = 3, .bytes = 1 << 20}});
  auto late = setup.request("late", encoded(one("s")));
  late->deadline = std::chrono::steady_clock::now();
  std::stop_source stop;
  stop.request_stop();
  auto stopped = setup.request("stopped", encoded(one("s")));
  stopped->stop = stop.get_token();
  auto abandoned = setup.request("abandoned", encoded(one("s")));
  abandoned->phase = std::make_shared<std::atomic<Request::Phase>>(Request::Phase::kAbandoned);
  setup.put(std::move(late));
  setup.put(std::move(stopped));
  setup.put(std::move(abandoned));
  setup.writer.advance();
  EXPECT_EQ(setup.code("late"), ErrorCode::kTimedOut);
  EXPECT_EQ(setup.code("stopped"), ErrorCode::kCancelled);
  EXPECT_EQ(setup.find("abandoned"), nullptr) << "its caller has an answer already";
  EXPECT_EQ(setup.log->written(), Position{1});
  for (const auto* name : {"x", "y", "z"}) setup.put(name, one("s"));  // room for three again
  setup.writer.advance();
  EXPECT_TRUE(setup.appended("z"));
}

TEST(Writer, WhatIsInFlightIsAnsweredAlthoughItsDeadlinePasses) {
  Begun setup;
  setup.io.hold();
  auto request = setup.request("a", encoded(one("s")));
  request->deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  setup.put(std::move(request));
  setup.writer.advance();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  setup.io.release();
  setup.writer.advance();
  EXPECT_TRUE(setup.appended("a"));
}

TEST(Writer, ADeviceThatDoesNotAnswerKeepsNobodyBeyondTheirTime) {
  Begun setup({.inbox = {.count = 3, .bytes = 1 << 20}});
  setup.io.hold();
  std::stop_source stop;
  const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  const auto put = [&](const std::string& name, const AppendRequest& append) {
    auto request = setup.request(name, encoded(append));
    if (name == "stopped")
      request->stop = stop.get_token();
    else
      request->deadline = soon;
    setup.put(std::move(request));
    setup.writer.advance();
  };
  put("flying", one("s"));
  put("waits", one("s"));
  put("stopped", one("s"));
  stop.request_stop();
  EXPECT_TRUE(setup.writer.needs_ticks());
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  setup.writer.advance();
  EXPECT_EQ(setup.code("flying"), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(setup.code("waits"), ErrorCode::kTimedOut);
  EXPECT_EQ(setup.code("stopped"), ErrorCode::kCancelled);
  setup.io.release();
  setup.writer.advance();
  EXPECT_THAT(setup.answers, SizeIs(3)) << "each is answered once";
  EXPECT_EQ(setup.log->durable(), Position{2}) << "what was written stays";
  for (const auto* name : {"x", "y", "z"}) setup.put(name, one("s"));
  setup.writer.advance();
  EXPECT_TRUE(setup.appended("z"));
  EXPECT_FALSE(setup.writer.needs_ticks());
}

// A device that hangs: each is told what is known of it, and once.
TEST(Writer, WhatIsInFlightBeyondItsTimeIsToldWhetherItMayBeWritten) {
  Begun setup;
  setup.io.hold();
  std::stop_source stop;
  const auto soon = setup.io.steady() + std::chrono::hours(1);
  const auto put = [&](const std::string& name, const AppendRequest& append) {
    auto request = setup.request(name, encoded(append));
    if (name.starts_with("stopped")) request->stop = stop.get_token();
    if (name.starts_with("late") || name == "blocking") request->deadline = soon;
    request->blocking = name == "blocking";  // its caller leaves by itself
    setup.put(std::move(request));
    setup.writer.advance();
  };
  put("late", large("s", 300 * kKiB));
  put("late and refused", expecting(large("t", 300 * kKiB), "s", Expect::none()));
  put("stopped and refused", expecting(large("t", 300 * kKiB), "s", Expect::none()));
  for (const auto* name : {"stopped", "blocking", "patient"}) put(name, large("s", 300 * kKiB));
  EXPECT_EQ(setup.frames(), 4U);
  EXPECT_THAT(setup.answers, IsEmpty());
  stop.request_stop();
  for (const int hours : {2, 4}) {
    setup.io.set_ahead(std::chrono::hours(hours));
    setup.writer.advance();
    EXPECT_THAT(setup.names(),
                ElementsAre("late", "late and refused", "stopped and refused", "stopped"));
  }
  EXPECT_EQ(setup.code("late"), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(setup.code("stopped"), ErrorCode::kOutcomeUnknown);
  EXPECT_THAT(setup.find("late")->result.error().message, HasSubstr("the deadline passed while"));
  EXPECT_THAT(setup.find("stopped")->result.error().message, HasSubstr("stopped while"));
  EXPECT_EQ(setup.code("late and refused"), ErrorCode::kTimedOut);
  EXPECT_EQ(setup.code("stopped and refused"), ErrorCode::kCancelled);
  for (const auto* name : {"late and refused", "stopped and refused"})
    EXPECT_THAT(setup.find(name)->result.error().message, HasSubstr("nothing was written"));
  setup.io.release();
  setup.writer.advance();
  EXPECT_THAT(setup.answers, SizeIs(6)) << "each is answered once";
  EXPECT_TRUE(setup.appended("blocking"));
  EXPECT_TRUE(setup.appended("patient"));
}

TEST(Writer, WhoWasToldThatItsTimeIsOverIsNotToldThatTheWriteFailed) {
  Begun setup;
  setup.io.hold();
  setup.io.add({.operation = Operation::kRingWrite, .error = EIO});
  auto request = setup.request("late", encoded(one("s")));
  request->deadline = setup.io.steady() + std::chrono::hours(1);
  setup.put(std::move(request));
  setup.writer.advance();
  setup.io.set_ahead(std::chrono::hours(2));
  setup.writer.advance();
  EXPECT_EQ(setup.code("late"), ErrorCode::kOutcomeUnknown);
  setup.io.release();
  setup.writer.advance();
  EXPECT_TRUE(setup.writer.is_read_only());
  EXPECT_TRUE(setup.writer.is_idle());
  EXPECT_THAT(setup.answers, SizeIs(1));
}

// ---- preparing again

TEST(Writer, ARetryOfWhichTheWindowHoldsAPartIsComparedInTheLogAndKeepsItsPlace) {
  Begun setup({.window = 1});
  const AppendRequest append{.events = {event_of("s"), event_of("s")}};
  setup.append("first", append);
  setup.put("again", append, 7);
  setup.put("behind", one("t"), 7);
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("first"));
  ASSERT_THAT(setup.to_prepare, SizeIs(1));
  setup.prepare_again(std::move(setup.to_prepare.front()));
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("first", "again", "behind"));
  ASSERT_TRUE(setup.appended("again"));
  EXPECT_TRUE(setup.find("again")->result->repeated);
  EXPECT_EQ(setup.find("again")->result->first, Position{2});
}

// A request whose first violation lies where neither its preparation nor the window of ids sees it.
struct Overtaken : Begun {
  Overtaken() : Begun({.window = 1, .inbox = {.count = 8, .bytes = 1 << 20}}) {}
  void overtake(const std::string& name, std::uint64_t session, const std::string& stream = "s") {
    auto request =
        this->request(name, encoded(expecting(one(stream), stream, Expect::none())), session);
    append("overtakes", one(stream));
    append("follows", one("t"));
    answers.clear();
    put(std::move(request));
    writer.advance();
    ASSERT_THAT(to_prepare, SizeIs(1));
    ASSERT_THAT(answers, IsEmpty());
  }
};

TEST(Writer, ASessionIsHeldWhileOneOfItsRequestsIsPreparedAgain) {
  Overtaken setup;
  setup.overtake("first", 7);
  setup.put("second", one("u"), 7);
  setup.put("third", one("u"), 7);
  setup.put("other", one("u"), 8);
  setup.put("none", one("u"), 0);
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("other", "none"));
  setup.prepare_again(std::move(setup.to_prepare.front()));
  setup.put("fourth", one("u"), 7);
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("other", "none", "first", "second", "third", "fourth"));
  EXPECT_EQ(setup.code("first"), ErrorCode::kConflict);
  EXPECT_FALSE(setup.writer.has_work());
}

TEST(Writer, WhatASessionHoldsIsNotCountedAmongWhatWaitsForAFrame) {
  Overtaken setup;
  setup.overtake("first", 7);
  setup.put("second", large("u", 300 * kKiB), 7);
  setup.writer.advance();
  const auto before = setup.frames();
  setup.io.hold();
  setup.append("flying", one("v"));
  setup.append("waits", one("v"));
  EXPECT_EQ(setup.frames(), before + 1);
}

TEST(Writer, WhatASessionHoldsIsNotKeptBeyondItsTime) {
  Overtaken setup;
  setup.overtake("first", 7);
  auto late = setup.request("late", encoded(one("u")), 7);
  late->deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  setup.put(std::move(late));
  setup.put("later", one("u"), 7);
  setup.writer.advance();
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("late"));
  EXPECT_EQ(setup.code("late"), ErrorCode::kTimedOut);
  setup.prepare_again(std::move(setup.to_prepare.front()));
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("late", "first", "later"));
}

TEST(Writer, ARequestThatCannotBePreparedAgainFailsInItsTurnAndLetsItsSessionGo) {
  Overtaken setup;
  for (int round = 0; round < 20; ++round) {  // more than the queue's bounds would bear
    setup.to_prepare.clear();
    setup.overtake("first", 7, "s" + std::to_string(round));
    setup.put("second", one("u"), 7);
    setup.writer.advance();
    EXPECT_THAT(setup.answers, IsEmpty());
    auto request = std::move(setup.to_prepare.front());
    request->failed = Error{.code = ErrorCode::kCorrupt, .message = "a record is damaged"};
    setup.inbox.put_again(std::move(request));
    setup.writer.advance();
    EXPECT_THAT(setup.names(), ElementsAre("first", "second"));
    EXPECT_EQ(setup.code("first"), ErrorCode::kCorrupt);
  }
}

TEST(Writer, ARequestThatCannotBePreparedAgainFailsByItsOwnReasonWhileReadOnlyToo) {
  Overtaken setup;
  setup.overtake("first", 7);
  setup.writer.fail("the device is gone");
  auto request = std::move(setup.to_prepare.front());
  request->failed = Error{.code = ErrorCode::kCorrupt, .message = "a record is damaged"};
  setup.inbox.put_again(std::move(request));
  setup.writer.advance();
  EXPECT_EQ(setup.code("first"), ErrorCode::kCorrupt);
}

TEST(Writer, WhatASessionHoldsIsRefusedWhenWritingEndsOrTheStoreCloses) {
  for (const bool closes : {false, true}) {
    Overtaken setup;
    setup.overtake("first", 7);
    setup.put("second", one("u"), 7);
    setup.writer.advance();
    if (closes)
      setup.writer.shut();
    else
      setup.writer.fail("the device is gone");
    setup.writer.advance();
    const auto expected = closes ? ErrorCode::kClosed : ErrorCode::kReadOnly;
    EXPECT_EQ(setup.code("second"), expected);
    setup.inbox.put_again(std::move(setup.to_prepare.front()));
    setup.writer.advance();
    EXPECT_EQ(setup.code("first"), expected);
  }
}

TEST(Writer, ClosingAnswersNobodyWhoGaveUp) {
  Begun setup({.inbox = {.count = 2, .bytes = 1 << 20}});
  setup.io.hold();
  setup.append("flying", one("s"));
  const auto phase = std::make_shared<std::atomic<Request::Phase>>(Request::Phase::kQueued);
  auto request = setup.request("abandoned", encoded(one("s")));
  request->phase = phase;
  setup.put(std::move(request));
  phase->store(Request::Phase::kAbandoned);
  setup.writer.shut();
  EXPECT_THAT(setup.answers, IsEmpty());
  setup.append("later", one("s"));  // the place of the one that gave up is free
  EXPECT_THAT(setup.names(), ElementsAre("later"));
  EXPECT_EQ(setup.code("later"), ErrorCode::kClosed);
}

TEST(Writer, ClosingRefusesWhatWaitsAndStillAnswersWhatIsInFlight) {
  Begun setup;
  setup.io.hold();
  setup.append("flying", one("s"));
  setup.append("waits", one("s"));
  setup.writer.shut();
  EXPECT_EQ(setup.code("waits"), ErrorCode::kClosed);
  EXPECT_FALSE(setup.writer.is_idle());
  setup.io.release();
  setup.writer.advance();
  EXPECT_TRUE(setup.appended("flying"));
  EXPECT_TRUE(setup.writer.is_idle());
}

}  // namespace
}  // namespace esdb::storage
