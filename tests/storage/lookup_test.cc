#include "storage/lookup.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/storage/lookup_against.h"

namespace esdb::storage {
namespace {

LookupBound bound_of(const HistoryFrame& frame) {
  return {.frame = frame.mark.frame_number, .position = frame.mark.last};
}

TEST(Lookup, FindsInTheGenerationsWhatAWalkOverTheHistoryFinds) {
  const std::uint64_t seed = std::random_device{}();
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

}  // namespace
}  // namespace esdb::storage
