#include "storage/lookup.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/generation.h"
#include "tests/fixtures/test_run.h"
#include "tests/storage/index_store.h"

namespace esdb::storage {
namespace {

LookupBound bound_of(const HistoryFrame& frame) {
  return {.frame = frame.mark.frame_number, .position = frame.mark.last};
}

TEST(Lookup, FindsInTheGenerationsWhatAWalkOverTheHistoryFinds) {
  const std::uint64_t seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  TermHistory history(seed);
  TailIndex tail{FrameMark{}};
  for (int i = 0; i < 60; ++i) {
    add_frame(tail, history.add_frame());
    if (history.random(8) == 0) tail.freeze();
    if (history.random(4) != 0) continue;
    // Up to any durable frame: what is laid out above it stays invisible.
    const auto& durable = history.frames()[history.random(history.frames().size())];
    auto lookup = Lookup::begin(bound_of(durable), tail, nullptr).value();
    EXPECT_EQ(lookup.position(), durable.mark.last);
    expect_truth(lookup, history);
  }
}

TEST(Lookup, ShowsNothingAboveTheDurablePosition) {
  TailIndex tail{FrameMark{}};
  HistoryFrame first{.mark = {.frame_number = 1, .last = 1},
                     .events = {{.position = 1, .version = 1, .stream = "a-1", .type = "T"}},
                     .tracking = {{"source", 5}}};
  HistoryFrame second{.mark = {.frame_number = 2, .last = 2},
                      .events = {{.position = 2, .version = 1, .stream = "b-1", .type = "T"}},
                      .tracking = {{"source", 6}}};
  add_frame(tail, first);
  add_frame(tail, second);
  auto lookup = Lookup::begin(bound_of(first), tail, nullptr).value();
  EXPECT_EQ(lookup.head(term(TermClass::kStream, "b-1")).value().count, 0);
  EXPECT_EQ(lookup.head(term(TermClass::kType, "T")).value().count, 1);
  EXPECT_EQ(lookup.tracked("source").value(), 5);
  EXPECT_EQ(lookup.stream_count().value(), 1);
  EXPECT_EQ(lookup.page(TermClass::kStream, "", "", 10).value().rows.size(), 1);
}

TEST(Lookup, HoldsWhatWasDroppedWhileItLives) {
  TailIndex tail{FrameMark{}};
  add_frame(tail, {.mark = {.frame_number = 1, .last = 1},
                   .events = {{.position = 1, .version = 1, .stream = "a-1", .type = "T"}}});
  tail.freeze();
  auto lookup = Lookup::begin({.frame = 1, .position = 1}, tail, nullptr).value();
  tail.drop_oldest();
  tail.freeze_when_due({});
  EXPECT_EQ(lookup.head(term(TermClass::kStream, "a-1")).value().count, 1);
}

TEST(Lookup, TellsFromTheGenerationsAloneThatNoEventAboveCarriesATerm) {
  TailIndex tail{FrameMark{}};
  for (std::uint64_t at = 1; at <= 4; ++at) {
    add_frame(tail, {.mark = {.frame_number = at, .last = at},
                     .events = {{.position = at,
                                 .version = at,
                                 .stream = "a-1",
                                 .type = at < 4 ? "T" : "U",
                                 .tags = {std::to_string(at)}}}});
    if (at == 1 || at == 2) tail.freeze();
  }
  tail.drop_oldest();  // event 1; 2 lies in a generation, 3 and 4 in the next
  const auto lookup = Lookup::begin({.frame = 3, .position = 3}, tail, nullptr).value();
  const auto type = term(TermClass::kType, "T"), above = term(TermClass::kType, "U");
  const auto second = term(TermClass::kTag, "2"), none = term(TermClass::kTag, "none");
  EXPECT_FALSE(lookup.tells_none_above(type, Position{2}));
  EXPECT_TRUE(lookup.tells_none_above(type, Position{3}));
  EXPECT_FALSE(lookup.tells_none_above(second, Position{1}));
  EXPECT_TRUE(lookup.tells_none_above(second, Position{2}));
  EXPECT_TRUE(lookup.tells_none_above(none, Position{1}));
  EXPECT_FALSE(lookup.tells_none_above(none, Position{0})) << "event 1 is in the index alone";
  EXPECT_TRUE(lookup.tells_none_above(above, Position{1})) << "it is not durable yet";
}

// One thread writes, one moves generations into the index, in one transaction or in many, one looks
// up what is durable. Event n is the only one with the tag "n", and all have the type "T".
class LookupBesideTheIndexer : public ::testing::TestWithParam<std::size_t> {};

TEST_P(LookupBesideTheIndexer, FindsEverythingWhileGenerationsMoveIntoTheIndex) {
  constexpr std::uint64_t kFrames = 400, kEventsPerFrame = 10;
  IndexStore store(1);
  store.dirty_bytes = GetParam();
  store.open();
  TailIndex& tail = *store.tail;
  std::atomic<std::uint64_t> durable{0};
  std::thread writer([&] {
    for (std::uint64_t number = 1; number <= kFrames; ++number) {
      HistoryFrame frame{.mark = {.frame_number = number, .last = number * kEventsPerFrame}};
      for (std::uint64_t at = (number - 1) * kEventsPerFrame + 1; at <= frame.mark.last.value; ++at)
        frame.events.push_back({.position = at,
                                .version = at,
                                .stream = "s-1",
                                .type = "T",
                                .tags = {std::to_string(at)}});
      frame.tracking.emplace_back("source", number);
      add_frame(tail, frame);
      if (number % 20 == 0) tail.freeze();
      durable.store(number, std::memory_order_release);
    }
  });
  std::thread indexer([&] {
    while (store.index->indexed().frame_number < kFrames) {
      const auto generation = tail.oldest_frozen();
      if (!generation || generation->end().frame_number > durable.load()) continue;
      if (store.index->commit(generation).value()) tail.drop_oldest();
    }
  });
  for (std::uint64_t seen = 0; seen < kFrames;) {
    seen = durable.load(std::memory_order_acquire);
    const std::uint64_t last = seen * kEventsPerFrame;
    auto lookup = Lookup::begin({.frame = seen, .position = last}, tail, store.index.get()).value();
    EXPECT_GE(lookup.position().value, last);
    EXPECT_EQ(lookup.head(term(TermClass::kType, "T")).value().count, lookup.position().value);
    EXPECT_GE(lookup.tracked("source").value(), seen);
    if (const auto newest = lookup.position(); newest) {  // it may be in the index alone
      const auto text = to_string(newest);
      EXPECT_FALSE(lookup.tells_none_above(term(TermClass::kTag, text), newest.value - 1));
    }
    // And where the index is read later, if at all.
    auto later =
        Lookup::begin_with_tail({.frame = seen, .position = last}, tail, store.index.get()).value();
    EXPECT_EQ(later.position().value, last);
    EXPECT_GE(later.tracked("source").value(), seen);
    const auto stream = later.head(term(TermClass::kStream, "s-1")).value();
    EXPECT_EQ(stream.count, stream.last.value) << "every event is of that stream";
    EXPECT_GE(stream.count, last);
    const auto type = later.head(term(TermClass::kType, "T")).value();
    EXPECT_EQ(type.count, type.last.value);
    EXPECT_GE(type.count, last);
    for (const std::uint64_t at : {last, last / 2 + 1, last / 3 + 1})
      if (at > 0 && at <= last) {
        EXPECT_EQ(lookup.head(term(TermClass::kTag, std::to_string(at))).value().last.value, at);
        EXPECT_EQ(lookup.postings(term(TermClass::kStream, "s-1"))->nth(at).value().value, at);
        const auto text = std::to_string(at);
        EXPECT_FALSE(later.tells_none_above(term(TermClass::kTag, text), Position{at - 1}));
      }
  }
  writer.join();
  indexer.join();
}

INSTANTIATE_TEST_SUITE_P(Dirty, LookupBesideTheIndexer, ::testing::Values(0, 20'000));

}  // namespace
}  // namespace esdb::storage
