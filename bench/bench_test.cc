// What every figure rests on: how much is done, the histogram, and which runs count.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "bench/amount.h"
#include "bench/latencies.h"
#include "bench/quiet.h"

namespace esdb::bench {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t kSeed = 7;

constexpr bool kFirst = true, kAnother = false;

TEST(Budget, ACountIsSharedAndTheFirstOfEachIsMadeWhateverIsLeft) {
  Budget budget(so_many(2));
  const auto now = Clock::now();
  EXPECT_TRUE(budget.take(kFirst, now));
  EXPECT_TRUE(budget.take(kAnother, now));
  EXPECT_FALSE(budget.take(kAnother, now));
  EXPECT_TRUE(budget.take(kFirst, now));
}

TEST(Budget, ATimeRunsFromBeginAndTheFirstIsMadeAlsoBehindIt) {
  Budget budget(for_time(std::chrono::hours(1)));
  const auto made = Clock::now();
  budget.begin();
  EXPECT_TRUE(budget.take(kAnother, made + std::chrono::minutes(59)));
  EXPECT_FALSE(budget.take(kAnother, made + std::chrono::hours(2)));
  EXPECT_TRUE(budget.take(kFirst, made + std::chrono::hours(2)));
}

TEST(Budget, WithoutABoundThereIsOneMoreUntilItIsStopped) {
  std::stop_source stop;
  Budget budget({.stop = stop.get_token()});
  const auto now = Clock::now();
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(budget.take(kAnother, now));
  stop.request_stop();
  EXPECT_FALSE(budget.take(kAnother, now));
  EXPECT_FALSE(budget.take(kFirst, now));
}

TEST(Latencies, NothingMeasuredIsZero) {
  const Latencies latencies;
  EXPECT_EQ(latencies.count(), 0u);
  EXPECT_EQ(latencies.median(), 0);
  EXPECT_EQ(latencies.max(), 0);
}

TEST(Latencies, PercentilesAreWithinHalfAPerCentOfTheSortedValues) {
  std::mt19937_64 random(kSeed);
  std::vector<double> ns;
  Latencies latencies;
  for (int i = 0; i < 100'000; ++i) {
    // From 100 ns to 1,000 s, every power of ten as often as the others.
    const double exponent = 2 + 10 * static_cast<double>(random() % 1'000'000) / 1e6;
    ns.push_back(std::floor(std::pow(10.0, exponent)));
    latencies.add(nanoseconds(static_cast<std::int64_t>(ns.back())));
  }
  std::sort(ns.begin(), ns.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const auto rank =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(ns.size()))) - 1;
    EXPECT_NEAR(latencies.percentile(share) * 1000 / ns[rank], 1, 0.005) << share;
  }
  EXPECT_EQ(latencies.max() * 1000, ns.back());
}

TEST(Latencies, MergedOnesAreAsIfMeasuredTogether) {
  Latencies together, left, right;
  for (int i = 1; i <= 1000; ++i) {
    together.add(nanoseconds(i * 977));
    (i % 3 == 0 ? left : right).add(nanoseconds(i * 977));
  }
  left.merge(right);
  EXPECT_EQ(left.to_text(), together.to_text());
}

TEST(Latencies, TextHoldsAllOfIt) {
  Latencies latencies;
  for (int i = 1; i <= 1000; ++i) latencies.add(nanoseconds(i * i * 31));
  const auto again = Latencies::from_text(latencies.to_text());
  EXPECT_EQ(again.count(), latencies.count());
  EXPECT_EQ(again.percentile(0.99), latencies.percentile(0.99));
  EXPECT_EQ(again.max(), latencies.max());
}

TEST(Latencies, TheLongestHasABucket) {
  Latencies latencies;
  latencies.add(std::chrono::hours(1));
  latencies.add(nanoseconds(-1));
  EXPECT_EQ(latencies.count(), 2u);
  EXPECT_GT(latencies.max(), 1e9);
}

// A run whose median stands at a scheduler's tick was disturbed, whatever else was seen.
Run stalled() {
  Run run{.figure = 1, .is_one_at_a_time = true};
  run.latencies.add(std::chrono::microseconds(4010));
  return run;
}

// Others may compute as much as they like: only stalls count.
constexpr Patience kWhateverOthersDo{.runs = 3, .tries = 9, .others_max = 1e9, .stolen_max = 1e9};

TEST(Repeat, DiscardsStalledRunsAndSaysHowMany) {
  int tried = 0;
  const auto repeated = repeat(
      [&tried](Watch&) {
        return ++tried % 2 == 1 ? stalled() : bench::Run{.figure = 100.0 + tried};
      },
      kWhateverOthersDo);
  EXPECT_EQ(repeated.runs.size(), 3u);
  EXPECT_EQ(repeated.discarded, 3u);
  EXPECT_FALSE(repeated.disturbed);
  EXPECT_EQ(repeated.figure(), 104);
}

TEST(Repeat, TakesDisturbedRunsWhereThereAreNoOthersAndSaysSo) {
  const auto repeated = repeat([](Watch&) { return stalled(); }, kWhateverOthersDo);
  EXPECT_EQ(repeated.runs.size(), 3u);
  EXPECT_EQ(repeated.discarded, 6u);
  EXPECT_TRUE(repeated.disturbed);
}

TEST(Repeat, RatiosAreOfFigureAndLimitOfTheSameRun) {
  int tried = 0;
  const auto repeated = repeat(
      [&tried](Watch&) {
        const double limit = ++tried;
        return bench::Run{.figure = 2 * limit, .limit = limit, .more = {{"other", limit}}};
      },
      kWhateverOthersDo);
  EXPECT_EQ(repeated.ratio(), 2);
  EXPECT_EQ(repeated.limit(), 2);
  EXPECT_EQ(repeated.more().at("other"), 2);
}

}  // namespace
}  // namespace esdb::bench
