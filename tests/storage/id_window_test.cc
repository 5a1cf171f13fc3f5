#include "storage/id_window.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <random>

#include "esdb/limits.h"
#include "tests/fixtures/test_run.h"

namespace esdb::storage {
namespace {

EventId id_of(std::uint64_t number) {
  EventId id;
  std::memcpy(id.bytes.data() + 8, &number, sizeof number);
  return id;
}

IdWindow::Entry entry_of(std::uint64_t number, bool ends_commit = true) {
  return IdWindow::entry(id_of(number), number * 2, ends_commit);
}

TEST(IdWindow, AnEmptyWindowFindsNothing) {
  const IdWindow window(10);
  EXPECT_FALSE(window.find(id_of(1)));
  EXPECT_FALSE(window.holds(Position{1}));
}

TEST(IdWindow, FindsEveryIdItHoldsAndForgetsTheOldest) {
  IdWindow window(100);
  for (std::uint64_t p = 1; p <= 250; ++p) window.add(p, entry_of(p));
  EXPECT_EQ(window.size(), 100U);
  for (std::uint64_t p = 1; p <= 150; ++p) EXPECT_FALSE(window.find(id_of(p))) << p;
  for (std::uint64_t p = 151; p <= 250; ++p) EXPECT_EQ(window.find(id_of(p)), Position{p});
  EXPECT_FALSE(window.holds(Position{150}));
  EXPECT_TRUE(window.holds(Position{151}));
  EXPECT_FALSE(window.holds(Position{251}));
}

TEST(IdWindow, BeginsAtAnyPosition) {
  IdWindow window(8);
  for (std::uint64_t p = 1'000'001; p <= 1'000'005; ++p) window.add(p, entry_of(p));
  EXPECT_EQ(window.find(id_of(1'000'003)), Position{1'000'003});
  EXPECT_FALSE(window.begins_commit(Position{1'000'001})) << "what stands before it is not known";
  EXPECT_TRUE(window.begins_commit(Position{1'000'002}));
}

TEST(IdWindow, TellsWhereCommitsBegin) {
  IdWindow window(8);
  window.add(1, entry_of(1, false));
  window.add(2, entry_of(2, true));
  window.add(3, entry_of(3, true));
  EXPECT_TRUE(window.begins_commit(Position{1}));
  EXPECT_FALSE(window.begins_commit(Position{2}));
  EXPECT_TRUE(window.begins_commit(Position{3}));
}

TEST(IdWindow, TheNewestOfTwoEventsWithOneIdIsFound) {
  IdWindow window(4);
  window.add(1, entry_of(7));
  window.add(2, entry_of(7));
  EXPECT_EQ(window.find(id_of(7)), Position{2});
  for (std::uint64_t p = 3; p <= 5; ++p) window.add(p, entry_of(p + 100));
  EXPECT_EQ(window.find(id_of(7)), Position{2}) << "the older one's leaving does not take it along";
  window.add(6, entry_of(106));
  EXPECT_FALSE(window.find(id_of(7)));
}

TEST(IdWindow, HoldsAMillionWithTheDefaultMemoryAndNeverMoreThanItIsGiven) {
  EXPECT_EQ(IdWindow::ids_within((std::size_t{512} << 20) / 12), kIdWindowMax);
  for (std::size_t bytes = 64 << 10; bytes < std::size_t{64} << 20; bytes += bytes / 7) {
    const auto ids = IdWindow::ids_within(bytes);
    EXPECT_GE(ids * 48, std::min(bytes, kIdWindowMax * 48) * 9 / 10) << bytes;
    EXPECT_LE(ids * 35, bytes);
  }
  EXPECT_EQ(IdWindow::ids_within(0), 0U);
}

TEST(IdWindow, AgreesWithASimpleList) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  IdWindow window(300);
  std::deque<std::pair<std::uint64_t, std::uint64_t>> list;  // position, number
  for (std::uint64_t p = 1; p <= 5'000; ++p) {
    const auto number = random() % 2'000;
    window.add(p, entry_of(number));
    list.emplace_back(p, number);
    if (list.size() > 300) list.pop_front();
    const auto asked = random() % 2'000;
    std::optional<Position> expected;
    for (const auto& [position, held] : list)
      if (held == asked) expected = position;
    ASSERT_EQ(window.find(id_of(asked)), expected) << "position " << p;
  }
}

}  // namespace
}  // namespace esdb::storage
