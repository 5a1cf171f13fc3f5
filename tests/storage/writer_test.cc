#include "storage/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

// A turn that an exception left half-way would be gone on from.
static_assert(noexcept(std::declval<Writer&>().advance()));

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// ---- group commit

TEST(Writer, AnAppendIsAnsweredWhenItIsDurableAndNotBefore) {
  WriterSetup setup;
  setup.io.hold();
  setup.append("a", one("s"));
  EXPECT_THAT(setup.answers, IsEmpty());
  EXPECT_EQ(setup.log->durable(), Position{0});
  EXPECT_TRUE(setup.writer.has_work());
  setup.io.release();
  setup.writer.advance();
  ASSERT_TRUE(setup.appended("a"));
  const auto& answer = *setup.find("a");
  EXPECT_EQ(answer.durable, Position{1});
  EXPECT_EQ(answer.result->first, Position{1});
  EXPECT_EQ(answer.result->last, Position{1});
  EXPECT_EQ(answer.result->version(), Version{1});
  EXPECT_FALSE(answer.result->repeated);
  EXPECT_FALSE(setup.writer.has_work());
}

TEST(Writer, TheCommitTimeToldIsTheOneInTheLog) {
  WriterSetup setup;
  for (int i = 0; i < 3; ++i) setup.append("a" + std::to_string(i), one("s"));
  for (int i = 0; i < 3; ++i) {
    const auto& appended = *setup.find("a" + std::to_string(i))->result;
    EXPECT_EQ(setup.log->frame_of(appended.first)->committed, appended.committed) << i;
  }
}

TEST(Writer, WhatComesWhileAFrameIsInFlightGoesTogetherIntoTheNext) {
  Begun setup;
  setup.io.hold();
  for (int i = 0; i < 6; ++i) setup.append("a" + std::to_string(i), one("s"));
  EXPECT_EQ(setup.frames(), 1U);
  setup.io.release();
  setup.writer.advance();
  EXPECT_EQ(setup.frames(), 2U);
  EXPECT_THAT(setup.names(), ElementsAre("a0", "a1", "a2", "a3", "a4", "a5"));
}

TEST(Writer, WhenAQuarterMebibyteWaitsAnotherFrameIsSubmittedUpToFour) {
  Begun setup;
  setup.io.hold();
  setup.append("first", one("s"));
  setup.append("small", large("s", 200 * kKiB));
  EXPECT_EQ(setup.frames(), 1U) << "less than 256 KiB wait";
  setup.append("more", large("s", 100 * kKiB));
  EXPECT_EQ(setup.frames(), 2U);
  for (int i = 0; i < 6; ++i) setup.append("l" + std::to_string(i), large("s", 300 * kKiB));
  EXPECT_EQ(setup.frames(), 4U) << "and no more than four are in flight";
  setup.io.release();
  setup.writer.advance();
  EXPECT_THAT(setup.names(),
              ElementsAre("first", "small", "more", "l0", "l1", "l2", "l3", "l4", "l5"));
}

TEST(Writer, AFrameHoldsAMebibyteOrOneAppend) {
  Begun setup({.segment_bytes = 16 << 20});
  setup.put("a", large("s", 700 * kKiB));
  setup.put("b", large("s", 700 * kKiB));
  AppendRequest larger;
  for (int i = 0; i < 3; ++i)
    larger.events.push_back(event_of("s", "Happened", std::string(700 * kKiB, 'x')));
  setup.put("c", larger);
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(setup.frames(), 3U);
}

TEST(Writer, AnswersComeInLogOrderHoweverTheWritesFinish) {
  Begun setup;
  setup.io.hold();
  for (int i = 0; i < 3; ++i) setup.append("a" + std::to_string(i), large("s", 300 * kKiB));
  auto held = setup.io.held();
  ASSERT_THAT(held, SizeIs(3));
  setup.io.release(held[2]);
  setup.io.release(held[1]);
  setup.writer.advance();
  EXPECT_THAT(setup.answers, IsEmpty());
  EXPECT_EQ(setup.log->durable(), Position{1}) << "nothing rests on a frame that may be torn";
  setup.io.release(held[0]);
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("a0", "a1", "a2"));
}

// ---- refusals and retries that rest on what is in flight

TEST(Writer, ARefusalThatRestsOnACommitInFlightWaitsForIt) {
  Begun setup;
  setup.io.hold();
  setup.append("first", one("s"));
  setup.append("second", large("t", 300 * kKiB));  // its frame is judged while the first flies
  setup.append("refused", expecting(large("u", 300 * kKiB), "s", Expect::none()));
  EXPECT_THAT(setup.answers, IsEmpty());
  setup.io.release();
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("first", "second", "refused"));
  EXPECT_EQ(setup.code("refused"), ErrorCode::kConflict);
  EXPECT_GE(setup.find("refused")->durable, Position{2});
}

TEST(Writer, ARefusalThatRestsOnDurableEventsIsAnsweredAtOnce) {
  Begun setup;
  setup.io.hold();
  setup.append("first", one("s"));
  setup.append("refused", expecting(large("u", 300 * kKiB), "begin", Expect::none()));
  EXPECT_THAT(setup.names(), ElementsAre("refused"));
  EXPECT_EQ(setup.code("refused"), ErrorCode::kConflict);
}

TEST(Writer, ARefusalThatRestsOnTrackingInFlightWaitsForIt) {
  Begun setup;
  setup.io.hold();
  setup.append("first", {.tracking = {{.source = "relay", .position = 5}}});
  auto late = large("u", 300 * kKiB);
  late.tracking = {{.source = "relay", .position = 5}};
  setup.append("refused", late);
  EXPECT_THAT(setup.answers, IsEmpty());
  setup.io.release();
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("first", "refused"));
  EXPECT_EQ(setup.code("refused"), ErrorCode::kAlreadyTracked);
  EXPECT_EQ(setup.find("first")->result->first, Position{0}) << "no events were written";
}

TEST(Writer, ARefusalThatRestsOnTrackingInItsFrameComesWithIt) {
  Begun setup;
  const AppendRequest tracking{.tracking = {{.source = "relay", .position = 5}}};
  setup.io.hold();
  setup.put("first", tracking);
  setup.put("refused", tracking);
  setup.writer.advance();
  EXPECT_THAT(setup.answers, IsEmpty());
  setup.io.release();
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("first", "refused"));
  setup.append("durable", tracking);
  EXPECT_EQ(setup.code("durable"), ErrorCode::kAlreadyTracked) << "at once: nothing is in flight";
}

TEST(Writer, ARetryOfWhatIsInFlightGetsTheFirstAnswerOnceItIsDurable) {
  Begun setup;
  setup.io.hold();
  const auto append = large("s", 300 * kKiB);
  setup.append("first", append);
  setup.append("retry", append);
  EXPECT_THAT(setup.answers, IsEmpty());
  setup.io.release();
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("first", "retry"));
  const auto& first = *setup.find("first")->result;
  const auto& retry = *setup.find("retry")->result;
  EXPECT_TRUE(retry.repeated);
  EXPECT_EQ(retry.first, first.first);
  EXPECT_EQ(retry.last, first.last);
  EXPECT_EQ(retry.committed, first.committed);
  EXPECT_EQ(retry.version(), first.version());
  EXPECT_EQ(setup.log->durable(), Position{2});
}

TEST(Writer, ARetryInTheSameFrameIsFoundToo) {
  Begun setup;
  const auto append = one("s");
  setup.put("first", append);
  setup.put("retry", append);
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("first", "retry"));
  EXPECT_TRUE(setup.find("retry")->result->repeated);
  EXPECT_EQ(setup.log->durable(), Position{2});
}

TEST(Writer, VersionsCountOnThroughAFrame) {
  Begun setup;
  setup.put("a", {.events = {event_of("s"), event_of("t"), event_of("s")}});
  setup.put("b", expecting(one("s"), "s", Expect::exactly(0)));
  setup.put("c", expecting({.events = {event_of("t"), event_of("s")}}, "s", Expect::exactly(0)));
  setup.writer.advance();
  ASSERT_TRUE(setup.appended("a"));
  const auto& streams = setup.find("a")->result->streams;
  ASSERT_THAT(streams, SizeIs(2));
  EXPECT_EQ(streams[0].stream, "s");
  EXPECT_EQ(streams[0].version, Version{2});
  EXPECT_EQ(streams[1].version, Version{1});
  EXPECT_EQ(setup.code("b"), ErrorCode::kConflict);
  EXPECT_EQ(setup.code("c"), ErrorCode::kConflict);
  EXPECT_EQ(setup.find("b")->result.error().violations.at(0).actual, Version{2});
}

// The indexer is given something to do at once, and appends go on when it has done it.
TEST(WriterBounds, AppendsWaitWhileTooMuchOfTheLogIsNotInTheIndex) {
  for (const bool of_the_log : {true, false}) {
    SCOPED_TRACE(of_the_log);
    WriterSetup setup({.tail_bytes_max = of_the_log ? 0U : 20'000U,
                       .unindexed_bytes_max = of_the_log ? 20'000U : 0U,
                       .keeps_everything = false});
    int appended = 0;
    for (; !setup.writer.is_stalled(); ++appended) {
      ASSERT_LT(appended, 1'000);
      EXPECT_EQ(setup.tail.oldest_frozen(), nullptr);
      setup.append("a" + std::to_string(appended), one("s" + std::to_string(appended)));
    }
    const auto last = "a" + std::to_string(appended - 1);
    EXPECT_GT(appended, 1);
    EXPECT_EQ(setup.find(last), nullptr);
    ASSERT_NE(setup.tail.oldest_frozen(), nullptr);
    EXPECT_GT(of_the_log ? setup.tail.log_bytes() : setup.tail.bytes(), 20'000U);
    setup.tail.drop_oldest();
    setup.writer.advance();
    EXPECT_FALSE(setup.writer.is_stalled());
    // What it was prepared at has left the tail index.
    EXPECT_TRUE(setup.appended(last) || !setup.to_prepare.empty());
  }
}

}  // namespace
}  // namespace esdb::storage
