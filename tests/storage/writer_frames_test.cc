// What the log has room for, and what becomes of appends while a segment is made.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/writer.h"
#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Until what is left of the open segment is about as large as the next append.
void fill(WriterSetup& setup, std::size_t bytes_each) {
  const auto segment = setup.log->segments();
  for (int i = 0; i < 1'000; ++i) {
    const auto append = encoded(large("fill", bytes_each));
    const auto content = setup.log->content_bytes(append.parts->events.front().encoded.size());
    if (!setup.log->has_room(content, 1)) return;
    setup.put(setup.request("fill" + std::to_string(i), append));
    setup.writer.advance();
    ASSERT_TRUE(setup.appended("fill" + std::to_string(i)));
    ASSERT_EQ(setup.log->segments(), segment);
  }
  FAIL() << "the segment never filled";
}

void work_in_background(WriterSetup& setup) {
  while (setup.log->background_step(std::chrono::steady_clock::now()).value()) {
  }
}

TEST(Writer, TheFirstFrameOfASegmentWaitsUntilAllBeforeAreDurable) {
  Begun setup({.segment_bytes = 1 << 20});
  fill(setup, 60 * kKiB);
  work_in_background(setup);
  setup.answers.clear();
  const auto before = setup.frames();
  setup.io.hold();
  setup.append("last", large("s", 1 * kKiB));
  for (int i = 0; i < 5; ++i) setup.append("next" + std::to_string(i), large("s", 200 * kKiB));
  EXPECT_EQ(setup.frames(), before + 1);
  EXPECT_EQ(setup.log->segments(), 1U);
  EXPECT_TRUE(setup.writer.is_stalled());
  setup.io.release();
  setup.writer.advance();
  EXPECT_EQ(setup.log->segments(), 2U);
  EXPECT_THAT(setup.names(), ElementsAre("last", "next0", "next1", "next2", "next3", "next4"));
}

TEST(Writer, AppendsThatWaitForASegmentStillHaveTheirDeadlines) {
  Begun setup({.segment_bytes = 1 << 20});
  fill(setup, 60 * kKiB);
  auto late = setup.request("late", encoded(large("s", 200 * kKiB)));
  setup.put("waits", large("s", 200 * kKiB));
  std::stop_source stop;
  auto stopped = setup.request("stopped", encoded(one("s")));
  stopped->stop = stop.get_token();
  setup.put(std::move(late));
  setup.put(std::move(stopped));
  setup.answers.clear();
  setup.writer.advance();
  EXPECT_TRUE(setup.writer.is_stalled());
  EXPECT_THAT(setup.answers, IsEmpty());
  stop.request_stop();
  setup.writer.advance();
  EXPECT_EQ(setup.code("stopped"), ErrorCode::kCancelled);
  work_in_background(setup);
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("stopped", "waits", "late"));
}

TEST(Writer, WhatNeedsNoRoomIsAnsweredAheadOfWhatWaitsForASegment) {
  Begun setup({.segment_bytes = 1 << 20});
  fill(setup, 60 * kKiB);
  setup.answers.clear();
  setup.put("refused", expecting(one("s"), "begin", Expect::none()));
  setup.put("waits", large("s", 200 * kKiB));
  setup.writer.advance();
  EXPECT_EQ(setup.code("refused"), ErrorCode::kConflict);
  EXPECT_THAT(setup.answers, SizeIs(1));
  EXPECT_TRUE(setup.writer.is_stalled());
  work_in_background(setup);
  setup.writer.advance();
  EXPECT_TRUE(setup.appended("waits"));
}

// Whoever gives up was told that nothing is written, and has its answer.
TEST(Writer, ACallerThatGivesUpWhileRoomIsMadeForItsAppendHasWrittenNothing) {
  Begun setup({.segment_bytes = 1 << 20, .inbox = {.count = 2, .bytes = 1 << 20}});
  fill(setup, 60 * kKiB);
  work_in_background(setup);
  setup.answers.clear();
  const auto written = setup.log->written();
  const auto phase = std::make_shared<std::atomic<Request::Phase>>(Request::Phase::kQueued);
  auto request = setup.request("abandoned", encoded(large("s", 200 * kKiB)));
  request->phase = phase;
  setup.when_room_is_made = [&] { phase->store(Request::Phase::kAbandoned); };
  setup.put(std::move(request));
  setup.writer.advance();
  EXPECT_EQ(setup.log->segments(), 2U);
  EXPECT_EQ(phase->load(), Request::Phase::kAbandoned);
  EXPECT_EQ(setup.log->written(), written);
  EXPECT_THAT(setup.answers, IsEmpty());
  for (const auto* name : {"x", "y"}) setup.put(name, one("t"));  // room for two again
  setup.writer.advance();
  EXPECT_THAT(setup.names(), ElementsAre("x", "y"));
}

TEST(Writer, ACallerThatGivesUpWhileItsAppendIsSentBackStaysGone) {
  Begun setup({.segment_bytes = 1 << 20, .window = 1});
  const auto phase = std::make_shared<std::atomic<Request::Phase>>(Request::Phase::kQueued);
  auto request =
      setup.request("abandoned", encoded(expecting(large("s", 200 * kKiB), "s", Expect::none())));
  request->phase = phase;
  setup.append("overtakes", one("s"));
  fill(setup, 60 * kKiB);
  work_in_background(setup);
  setup.answers.clear();
  setup.when_room_is_made = [&] { phase->store(Request::Phase::kAbandoned); };
  setup.put(std::move(request));
  setup.writer.advance();
  ASSERT_THAT(setup.to_prepare, SizeIs(1));
  EXPECT_EQ(phase->load(), Request::Phase::kAbandoned);
  setup.prepare_again(std::move(setup.to_prepare.front()));
  setup.writer.advance();
  EXPECT_THAT(setup.answers, IsEmpty());
}

TEST(Writer, AFullDiskRefusesWhatNeedsASegmentAndClearsByItself) {
  Begun setup({.segment_bytes = 1 << 20});
  fill(setup, 60 * kKiB);
  setup.answers.clear();
  setup.io.add({.operation = Operation::kAllocate, .times = 1, .error = ENOSPC});
  auto now = std::chrono::steady_clock::now();
  while (setup.log->background_step(now).value()) {
  }
  setup.append("full", large("s", 200 * kKiB));
  EXPECT_EQ(setup.code("full"), ErrorCode::kDiskFull);
  setup.append("refused", expecting(large("s", 200 * kKiB), "begin", Expect::none()));
  EXPECT_EQ(setup.code("refused"), ErrorCode::kConflict)
      << "what does not hold is told all the same";
  EXPECT_THAT(setup.writer.state(), HasSubstr("disk_full"));
  EXPECT_FALSE(setup.writer.is_read_only());
  setup.append("small", one("s"));
  EXPECT_TRUE(setup.appended("small")) << "what still fits is taken";
  now += std::chrono::seconds(2);
  while (setup.log->background_step(now).value()) {
  }
  EXPECT_EQ(setup.writer.state(), "ready") << "told as soon as there is space again";
  setup.append("again", large("s", 200 * kKiB));
  EXPECT_TRUE(setup.appended("again"));
}

TEST(Writer, AnEpochAndTheFirstAppendFitTogetherOrGoToTheNextSegment) {
  for (std::size_t spare = 0; spare < 9; ++spare) {
    MemoryIo machine;
    AppendRequest append;
    {
      WriterSetup setup({.segment_bytes = 1 << 20, .machine = &machine});
      for (int i = 0;; ++i) {  // frames of 60 KiB, then what leaves room for one of 100 units less
        append = large("s", 100 * kKiB + spare * 64);
        const auto content =
            setup.log->content_bytes(encoded(append).parts->events.front().encoded.size());
        if (!setup.log->has_room(content + 512, 2)) break;
        ASSERT_LT(i, 10'000);
        const bool far = setup.log->has_room(content + 100 * kKiB, 10);
        setup.append("fill" + std::to_string(i), large("f", far ? 60 * kKiB : 100));
      }
      work_in_background(setup);
      ASSERT_TRUE(setup.log->close());
    }
    WriterSetup again({.segment_bytes = 1 << 20, .machine = &machine});
    work_in_background(again);
    again.append("first", append);
    ASSERT_TRUE(again.appended("first")) << spare;
    ASSERT_EQ(again.find("first")->result->version(), Version{1});
  }
}

// Nothing is wrong with the device, and nothing acknowledged is at stake.
TEST(Writer, AShortageWhileTheNextSegmentIsMadeIsTriedAgain) {
  for (const int error : {EMFILE, ENFILE, ENOMEM}) {
    Begun setup({.segment_bytes = 1 << 20});
    auto now = std::chrono::steady_clock::now();
    const auto work = [&] {
      for (auto more = setup.log->background_step(now);; more = setup.log->background_step(now)) {
        ASSERT_TRUE(more) << more.error().message;
        if (!*more) return;
      }
    };
    setup.io.add({.operation = Operation::kOpen, .times = 2, .error = error, .path = ".seg"});
    for (int attempt = 0; attempt < 2; ++attempt) {
      work();
      EXPECT_EQ(setup.log->roll(), Log::Rolled::kNotReady);
      EXPECT_FALSE(setup.log->disk_full());
      ASSERT_TRUE(setup.log->next_due());
      now += std::chrono::seconds(2);
      EXPECT_LE(*setup.log->next_due(), now);
    }
    work();
    EXPECT_EQ(setup.log->roll(), Log::Rolled::kYes);
  }
}

// As a store in memory does it.
TEST(Writer, ADeviceThatFailsWhileTheWriterItselfMakesASegmentEndsWriting) {
  Begun setup({.segment_bytes = 1 << 20, .background_inline = true});
  setup.io.add({.operation = Operation::kOpen, .error = EIO, .path = ".seg"});
  for (int i = 0; !setup.writer.is_read_only(); ++i) {
    ASSERT_LT(i, 100);
    setup.answers.clear();
    setup.append("a", large("s", 200 * kKiB));
  }
  EXPECT_THAT(setup.answers, IsEmpty());
  EXPECT_TRUE(setup.writer.looks_again_at_once());
  EXPECT_THAT(setup.writer.state(), HasSubstr("Input/output error"));
  setup.writer.advance();
  EXPECT_EQ(setup.code("a"), ErrorCode::kReadOnly);
  EXPECT_EQ(setup.log->segments(), 1U);
  EXPECT_FALSE(setup.writer.has_work());
}

}  // namespace
}  // namespace esdb::storage
