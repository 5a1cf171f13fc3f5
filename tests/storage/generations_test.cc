#include "storage/generations.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "storage/generation.h"
#include "storage/lookup.h"
#include "tests/storage/term_history.h"

namespace esdb::storage {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

HistoryFrame frame_of(std::uint64_t number, std::uint64_t first, std::uint64_t events,
                      const std::string& stream = "a-1") {
  HistoryFrame frame{.mark = {.frame_number = number, .last = first + events - 1}};
  for (std::uint64_t i = 0; i < events; ++i)
    frame.events.push_back(
        {.position = first + i, .version = first + i, .stream = stream, .type = "T"});
  return frame;
}

TEST(LookingAhead, BringsEveryPointerOnceAndWhatItPointsAtLaterButBeforeItsTurn) {
  constexpr std::size_t kCount = 40;
  std::map<std::size_t, std::size_t> pointers, pointees;  // by what they are for: when
  for (std::size_t now = 0; now < kCount; ++now)
    look_ahead(now, kCount, [&](std::size_t at, Prefetch what) {
      ASSERT_LT(at, kCount);
      EXPECT_TRUE((what == Prefetch::kPointer ? pointers : pointees).emplace(at, now).second) << at;
    });
  EXPECT_EQ(pointers.size(), kCount - 1) << "all but the first";
  for (const auto& [at, when] : pointers) EXPECT_LT(when, at);
  EXPECT_GT(pointees.size(), kCount / 2);
  for (const auto& [at, when] : pointees) {
    ASSERT_TRUE(pointers.contains(at)) << at;
    EXPECT_LE(pointers[at], when);
    EXPECT_LT(when, at);
  }
  look_ahead(0, 1, [](std::size_t, Prefetch) { FAIL() << "of one, there is nothing ahead"; });
}

TEST(TailIndex, ShowsTheWriterWhatIsLaidOut) {
  TailIndex tail{FrameMark{}};
  const TermRef stream = term(TermClass::kStream, "a-1");
  EXPECT_FALSE(tail.stream_head(stream));
  const auto frame = frame_of(1, 1, 2);
  for (const auto& event : frame.events) add_event(tail, event);
  tail.add_tracking("source", 9);
  ASSERT_TRUE(tail.stream_head(stream));
  EXPECT_EQ(tail.stream_head(stream)->version, Version{2});
  EXPECT_EQ(tail.stream_head(stream)->last, Position{2});
  EXPECT_EQ(tail.tracked("source"), 9);
  EXPECT_FALSE(tail.tracked("another"));
}

TEST(TailIndex, TellsTheLastEventAboveAPositionThatCarriesATerm) {
  TailIndex tail{FrameMark{}};
  add_frame(tail, frame_of(1, 1, 3, "a-1"));
  tail.freeze();
  add_frame(tail, frame_of(2, 4, 2, "b-1"));
  const auto last_above = [&tail](const char* stream, Position after) {
    return tail.last_above(term(TermClass::kStream, stream), after);
  };
  EXPECT_EQ(last_above("a-1", Position{0}), Position{3});
  EXPECT_EQ(last_above("a-1", Position{2}), Position{3});
  EXPECT_EQ(last_above("a-1", Position{3}), Position{});
  EXPECT_EQ(last_above("b-1", Position{4}), Position{5});
  EXPECT_EQ(last_above("b-1", Position{5}), Position{});
  EXPECT_EQ(last_above("c-1", Position{0}), Position{});
  EXPECT_EQ(tail.last_above(term(TermClass::kType, "T"), Position{0}), Position{5});
}

TEST(TailIndex, FreezesAGenerationThatHasItsAge) {
  TailIndex tail{FrameMark{}};
  const steady_clock::time_point start{};
  tail.freeze_when_due(start);
  EXPECT_EQ(tail.oldest_frozen(), nullptr) << "nothing to freeze";
  add_frame(tail, frame_of(1, 1, 1));
  tail.freeze_when_due(start + seconds(1));
  EXPECT_EQ(tail.oldest_frozen(), nullptr);
  EXPECT_EQ(tail.next_due(), start + seconds(1) + kGenerationAgeMax);
  tail.freeze_when_due(start + seconds(1) + kGenerationAgeMax);
  ASSERT_NE(tail.oldest_frozen(), nullptr);
  EXPECT_EQ(tail.oldest_frozen()->end().frame_number, 1);
  EXPECT_FALSE(tail.next_due());
}

TEST(TailIndex, FreezesAGenerationThatHasItsBytes) {
  TailIndex tail(FrameMark{}, {.generation_bytes = 100'000});
  std::uint64_t frame = 0;
  while (tail.oldest_frozen() == nullptr && frame < 1000) {
    ++frame;
    HistoryFrame one{.mark = {.frame_number = frame, .last = frame}};
    one.events.push_back(
        {.position = frame, .version = 1, .stream = "s-" + std::to_string(frame), .type = "T"});
    add_frame(tail, one);
    tail.freeze_when_due({});
  }
  EXPECT_GT(frame, 100);
  EXPECT_LT(frame, 1000);
}

TEST(TailIndex, EndsTheFirstGenerationWithTheFrameItIsTold) {
  for (const bool keeps_everything : {false, true}) {
    TailIndex tail(FrameMark{},
                   {.keeps_everything = keeps_everything, .generation_bytes = 1, .first_end = 3});
    for (std::uint64_t frame = 1; frame <= 4; ++frame) {
      add_frame(tail, frame_of(frame, frame, 1));
      tail.freeze_when_due({});
      EXPECT_EQ(tail.generations()->size(), frame < 3 ? 1 : frame == 3 || keeps_everything ? 2 : 3);
    }
    EXPECT_EQ(tail.oldest_frozen()->end().frame_number, 3);
  }
}

TEST(TailIndex, NeverFreezesWhatNothingOnDiskTakesOver) {
  TailIndex tail(FrameMark{}, {.keeps_everything = true, .generation_bytes = 1});
  add_frame(tail, frame_of(1, 1, 10));
  tail.freeze_when_due({});
  tail.freeze_when_due(steady_clock::time_point{} + seconds(100));
  EXPECT_EQ(tail.generations()->size(), 1);
}

TEST(TailIndex, KeepsADroppedGenerationInTheWritersViewUntilItsNextFrame) {
  TailIndex tail{FrameMark{}};
  const TermRef stream = term(TermClass::kStream, "a-1");
  add_frame(tail, frame_of(1, 1, 3));
  tail.freeze();
  tail.drop_oldest();
  EXPECT_EQ(tail.generations()->size(), 1);
  EXPECT_EQ(tail.first_frame(), 0);
  EXPECT_TRUE(tail.stream_head(stream));
  tail.freeze_when_due({});
  EXPECT_EQ(tail.first_frame(), 1);
  EXPECT_FALSE(tail.stream_head(stream));
}

TEST(TailIndex, CountsTheBytesOfWhatIsNotDropped) {
  TailIndex tail{FrameMark{}};
  const auto empty = tail.bytes();
  add_frame(tail, frame_of(1, 1, 20'000));
  const auto filled = tail.bytes();
  EXPECT_GT(filled, empty + 20'000 * 3 * sizeof(std::uint32_t));
  EXPECT_LT(filled, empty + 20'000 * 100);
  tail.freeze();
  tail.drop_oldest();
  EXPECT_LT(tail.bytes(), filled / 2);
}

TEST(TailIndex, CountsTheLogThatIsNotInTheIndexAndFreezesItWhenAppendsWait) {
  TailIndex tail(FrameMark{});
  tail.freeze_for_room();
  EXPECT_EQ(tail.oldest_frozen(), nullptr) << "there is nothing to freeze";
  tail.end_frame({.frame_number = 1}, 4'000);
  tail.end_frame({.frame_number = 2}, 500);
  EXPECT_EQ(tail.log_bytes(), 4'500U);
  tail.freeze_for_room();
  ASSERT_NE(tail.oldest_frozen(), nullptr);
  tail.end_frame({.frame_number = 3}, 1);
  tail.freeze_for_room();
  EXPECT_EQ(tail.generations()->size(), 2U) << "the indexer has something to do already";
  EXPECT_EQ(tail.log_bytes(), 4'501U);
  tail.drop_oldest();
  EXPECT_EQ(tail.log_bytes(), 1U);

  TailIndex everything(FrameMark{}, {.keeps_everything = true});
  everything.end_frame({.frame_number = 1}, 1);
  everything.freeze_for_room();
  EXPECT_EQ(everything.generations()->size(), 1U);
}

TEST(TailIndex, RefusesToSkipAVersion) {
  TailIndex tail{FrameMark{}};
  add_frame(tail, frame_of(1, 1, 1));
  EXPECT_DEATH(add_event(tail, {.position = 2, .version = 3, .stream = "a-1", .type = "T"}),
               "first_version");
}

// One thread writes, another reads up to what the first has published, as the log's durable
// position does it.
TEST(TailIndex, IsReadWhileItIsFilled) {
  constexpr std::uint64_t kFrames = 600, kEventsPerFrame = 20;
  TailIndex tail{FrameMark{}};
  std::atomic<std::uint64_t> durable{0};
  std::thread writer([&] {
    for (std::uint64_t number = 1; number <= kFrames; ++number) {
      auto frame = frame_of(number, (number - 1) * kEventsPerFrame + 1, kEventsPerFrame);
      for (auto& event : frame.events) {
        event.stream = "s-" + std::to_string(event.position.value % 50);
        event.version = (event.position.value - 1) / 50 + 1;
        event.tags = {"t" + std::to_string(event.position.value)};
      }
      frame.tracking.emplace_back("source", number * 10);
      add_frame(tail, frame);
      if (number % 100 == 0) tail.freeze();
      durable.store(number, std::memory_order_release);
    }
  });
  for (std::uint64_t seen = 0; seen < kFrames;) {
    seen = durable.load(std::memory_order_acquire);
    const std::uint64_t last = seen * kEventsPerFrame;
    auto lookup = Lookup::begin({.frame = seen, .position = last}, tail, nullptr).value();
    ASSERT_EQ(lookup.head(term(TermClass::kType, "T")).value().count, last);
    ASSERT_EQ(lookup.tracked("source").value(), seen * 10);
    if (last == 0) continue;
    ASSERT_EQ(lookup.head(term(TermClass::kTag, "t" + std::to_string(last))).value().last.value,
              last);
    const auto stream = "s-" + std::to_string(last % 50);
    ASSERT_EQ(lookup.head(term(TermClass::kStream, stream)).value().last.value, last);
    ASSERT_EQ(lookup.page(TermClass::kStream, "", "", 100).value().rows.size(),
              std::min<std::uint64_t>(last, 50));
  }
  writer.join();
}

}  // namespace
}  // namespace esdb::storage
