#include "tools/pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/fixtures/reference_store.h"
#include "tests/fixtures/test_run.h"
#include "tests/tools/flaky_store.h"

namespace esdb::tools {
namespace {

using testing::FlakyStore;

constexpr std::uint64_t kUnits = 60;

// Unit n, from 1, writes two events: one to a stream of its own, one to a shared one.
Unit unit(std::uint64_t n) {
  Unit made{.places = {2 * n - 1, 2 * n}, .tracked_to = 2 * n};
  made.events = {
      {.stream = "own-" + std::to_string(n), .type = "A", .data = std::to_string(n)},
      {.stream = "shared-" + std::to_string(n % 3), .type = "B", .data = std::to_string(n)}};
  return made;
}

class PipelineTest : public ::testing::Test {
 protected:
  using Faults = std::map<std::size_t, FlakyStore::Fault>;

  Result<void> run(FlakyStore& flaky, PipelineOptions options = {}) {
    options.source = "source";
    if (options.timeout == std::chrono::seconds(30)) options.timeout = std::chrono::seconds(20);
    Pipeline pipeline(flaky, std::move(options));
    const auto begun = pipeline.begin();
    if (!begun) return std::unexpected(begun.error());
    Result<void> done;
    for (auto n = *begun / 2 + 1; done && n <= kUnits; ++n) done = pipeline.push(unit(n));
    if (done) done = pipeline.finish();
    totals = pipeline.totals();
    return done;
  }

  // The units written, in order; both events of each must be there.
  std::vector<std::uint64_t> written() {
    std::vector<std::uint64_t> units;
    store
        ->for_each(everything(), {},
                   [&](RecordedEvent e) {
                     const auto n = std::stoull(std::string(e.data()));
                     if (e.type() == "A") {
                       units.push_back(n);
                     } else {
                       EXPECT_EQ(units.back(), n);
                     }
                   })
        .value();
    return units;
  }
  static std::vector<std::uint64_t> up_to(std::uint64_t last) {
    std::vector<std::uint64_t> units;
    for (std::uint64_t n = 1; n <= last; ++n) units.push_back(n);
    return units;
  }

  std::shared_ptr<EventStore> store = fixtures::make_reference_store();
  PipelineTotals totals{};
};

TEST_F(PipelineTest, WritesEverythingOnceWithManyInFlight) {
  FlakyStore flaky(store, {});
  ASSERT_TRUE(run(flaky));
  EXPECT_EQ(written(), up_to(kUnits));
  EXPECT_EQ(totals.events, 2 * kUnits);
  EXPECT_EQ(store->tracked("source").value(), 2 * kUnits);
  EXPECT_GT(flaky.most_waiting(), 10u);
  ASSERT_TRUE(run(flaky));
  EXPECT_EQ(written(), up_to(kUnits));
}

TEST_F(PipelineTest, GoesOnInAStoreThatIsNotEmpty) {
  store->append("shared-1", {.type = "B", .data = "0"}).value();
  store->append("own-7", {.type = "B", .data = "0"}).value();
  FlakyStore flaky(store, {});
  ASSERT_TRUE(run(flaky));
  EXPECT_EQ(store->tracked("source").value(), 2 * kUnits);
  EXPECT_EQ(store->count(types({"A"})).value(), kUnits);
  EXPECT_GT(flaky.most_waiting(), 10u);
}

TEST_F(PipelineTest, WhatPassesByItselfIsSentAgain) {
  for (const auto code : {ErrorCode::kUnavailable, ErrorCode::kOverloaded, ErrorCode::kDiskFull,
                          ErrorCode::kTimedOut, ErrorCode::kOutcomeUnknown}) {
    store = fixtures::make_reference_store();
    FlakyStore flaky(store, Faults{{0, {code}}, {10, {code}}, {11, {code}}, {30, {code}}});
    const auto done = run(flaky);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(written(), up_to(kUnits)) << to_string(code);
  }
}

TEST_F(PipelineTest, AnAnswerThatWasLostIsNotWrittenTwice) {
  FlakyStore flaky(store, Faults{{0, {ErrorCode::kOutcomeUnknown, true}},
                                 {20, {ErrorCode::kOutcomeUnknown, true}},
                                 {kUnits - 1, {ErrorCode::kOutcomeUnknown, true}}});
  ASSERT_TRUE(run(flaky));
  EXPECT_EQ(written(), up_to(kUnits));
  EXPECT_EQ(totals.events, 2 * kUnits);
}

TEST_F(PipelineTest, NothingIsWrittenBehindWhatWasRefused) {
  FlakyStore flaky(store, Faults{{20, {ErrorCode::kTooLarge}}});
  const auto done = run(flaky);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(written(), up_to(20));
  EXPECT_EQ(totals.tracked_to, 40u);
}

TEST_F(PipelineTest, NothingIsWrittenBehindWhatFailed) {
  for (const auto code : {ErrorCode::kReadOnly, ErrorCode::kClosed, ErrorCode::kDenied}) {
    store = fixtures::make_reference_store();
    FlakyStore flaky(store, Faults{{20, {code}}});
    EXPECT_FALSE(run(flaky));
    EXPECT_EQ(written(), up_to(20)) << to_string(code);
  }
}

TEST_F(PipelineTest, WhatIsRefusedMayBeLeftOut) {
  FlakyStore flaky(store, Faults{{20, {ErrorCode::kTooLarge}}});
  std::vector<std::uint64_t> left_out;
  ASSERT_TRUE(run(flaky, {.leave_out = [&](const Unit& unit, const Error&) {
                    left_out.push_back(unit.tracked_to / 2);
                    return true;
                  }}));
  auto expected = up_to(kUnits);
  expected.erase(expected.begin() + 20);
  EXPECT_EQ(written(), expected);
  EXPECT_EQ(left_out, std::vector<std::uint64_t>{21});
}

TEST_F(PipelineTest, WhatCannotBeEncodedIsRefusedInItsPlace) {
  FlakyStore flaky(store, {});
  Pipeline pipeline(flaky, {.source = "source"});
  ASSERT_TRUE(pipeline.begin());
  for (std::uint64_t n = 1; n <= 9; ++n) ASSERT_TRUE(pipeline.push(unit(n)));
  auto bad = unit(10);
  bad.events[1].stream = "";
  EXPECT_FALSE(pipeline.push(std::move(bad)));
  EXPECT_EQ(written(), up_to(9));
}

TEST_F(PipelineTest, GivesUpWhereNothingPassesBeforeTheTimeout) {
  Faults faults;
  for (std::size_t i = 5; i < 10'000; ++i) faults[i] = {ErrorCode::kDiskFull};
  FlakyStore flaky(store, faults);
  const auto done = run(flaky, {.timeout = std::chrono::milliseconds(50)});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kDiskFull);
  EXPECT_EQ(written(), up_to(5));
}

TEST_F(PipelineTest, AnotherWriterOfTheSameStreamsDoesNoHarm) {
  FlakyStore flaky(store, {});
  flaky.before_append = [this](std::size_t number) {
    if (number % 7 != 3) return;
    for (const auto* stream : {"shared-0", "shared-1", "shared-2"})
      store->append(stream, {.type = "C", .data = "0"}).value();
  };
  ASSERT_TRUE(run(flaky));
  EXPECT_EQ(store->count(types({"A"})).value(), kUnits);
  EXPECT_EQ(store->count(types({"B"})).value(), kUnits);
}

TEST_F(PipelineTest, AnotherImportOfTheSameSourceDoesNoHarm) {
  FlakyStore flaky(store, {});
  flaky.before_append = [this](std::size_t number) {
    if (number != 10) return;
    // The same units, by somebody else who was quicker.
    for (std::uint64_t n = 11; n <= 15; ++n) {
      auto made = unit(n);
      store->append({.events = made.events, .tracking = {{"source", made.tracked_to}}}).value();
    }
  };
  ASSERT_TRUE(run(flaky));
  EXPECT_EQ(written(), up_to(kUnits));
}

TEST_F(PipelineTest, AnotherImportWithOtherAppendsEndsIt) {
  FlakyStore flaky(store, {});
  flaky.before_append = [this](std::size_t number) {
    if (number != 10) return;
    auto made = unit(11);
    made.events.pop_back();
    store->append({.events = made.events, .tracking = {{"source", 21}}}).value();
  };
  const auto done = run(flaky);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kAlreadyTracked);
  EXPECT_EQ(store->count(everything()).value(), 21u);
}

TEST_F(PipelineTest, RandomFaultsNeverLoseOrDoubleAUnit) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const ErrorCode codes[] = {ErrorCode::kUnavailable, ErrorCode::kOverloaded, ErrorCode::kDiskFull,
                             ErrorCode::kOutcomeUnknown, ErrorCode::kTimedOut};
  for (int round = 0; round < 10; ++round) {
    store = fixtures::make_reference_store();
    Faults faults;
    for (std::size_t i = 0; i < 100; ++i) {
      if (random() % 12 != 0) continue;
      const auto code = codes[random() % std::size(codes)];
      faults[i] = {code, code == ErrorCode::kOutcomeUnknown && random() % 2 == 0};
    }
    FlakyStore flaky(store, faults);
    const auto done = run(flaky, {.units_in_flight_max = 1 + random() % 32});
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(written(), up_to(kUnits)) << round;
  }
}

// Writes a unit with its ids, as another source did.
class PipelineOfKnownUnits : public PipelineTest {
 protected:
  static Unit known_unit(std::uint64_t n) {
    auto made = unit(n);
    for (std::size_t i = 0; i < made.events.size(); ++i)
      made.events[i].id = EventId::derive(EventId{}, 2 * n + i);
    return made;
  }
  void write_elsewhere(std::uint64_t n) { store->append({.events = known_unit(n).events}).value(); }

  Result<void> run_known(FlakyStore& flaky, PipelineOptions options = {}) {
    options.source = "source";
    Pipeline pipeline(flaky, std::move(options));
    const auto begun = pipeline.begin();
    if (!begun) return std::unexpected(begun.error());
    Result<void> done;
    for (auto n = *begun / 2 + 1; done && n <= kUnits; ++n) done = pipeline.push(known_unit(n));
    if (done) done = pipeline.finish();
    totals = pipeline.totals();
    return done;
  }
};

TEST_F(PipelineOfKnownUnits, WhatWasThereAlreadyIsPassedAndWhatFollowsIsWritten) {
  for (std::uint64_t n = 1; n <= 40; ++n) write_elsewhere(n);
  FlakyStore flaky(store, {});
  const auto done = run_known(flaky);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(written(), up_to(kUnits));
  EXPECT_EQ(totals.repeated, 40u);
  EXPECT_EQ(totals.appends, kUnits - 40);
  EXPECT_EQ(totals.events, 2 * (kUnits - 40));
  EXPECT_EQ(totals.tracked_to, 2 * kUnits);
  EXPECT_EQ(store->tracked("source").value(), 2 * kUnits);
  EXPECT_GT(flaky.most_waiting(), 10u);
}

TEST_F(PipelineOfKnownUnits, AllOfItThereAlreadyIsTrackedToItsEnd) {
  for (std::uint64_t n = 1; n <= kUnits; ++n) write_elsewhere(n);
  FlakyStore flaky(store, {});
  std::size_t appends = 0;
  flaky.before_append = [&](std::size_t) { ++appends; };
  ASSERT_TRUE(run_known(flaky));
  EXPECT_EQ(appends, kUnits + 1);  // one that stores the tracking of all
  EXPECT_EQ(totals.repeated, kUnits);
  EXPECT_EQ(totals.appends, 0u);
  EXPECT_EQ(store->tracked("source").value(), 2 * kUnits);
}

TEST_F(PipelineOfKnownUnits, ARepeatedOneWhoseTrackingIsStoredIsThePipelinesOwn) {
  // Another pipeline of the same source was quicker with the same appends, one by one.
  FlakyStore flaky(store, {});
  flaky.before_append = [this](std::size_t number) {
    if (number != 10) return;
    auto made = known_unit(11);
    store->append({.events = made.events, .tracking = {{"source", made.tracked_to}}}).value();
  };
  ASSERT_TRUE(run_known(flaky));
  EXPECT_EQ(written(), up_to(kUnits));
  EXPECT_EQ(totals.repeated, 0u);
  EXPECT_EQ(totals.appends, kUnits);
}

TEST_F(PipelineOfKnownUnits, KnownOnesAnywhereAndFaultsNeverLoseOrDoubleAUnit) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const ErrorCode codes[] = {ErrorCode::kUnavailable, ErrorCode::kOverloaded,
                             ErrorCode::kOutcomeUnknown};
  for (int round = 0; round < 10; ++round) {
    store = fixtures::make_reference_store();
    std::uint64_t known = 0;
    for (std::uint64_t n = 1; n <= kUnits; ++n) {
      if (random() % 3 != 0) continue;
      write_elsewhere(n);
      ++known;
    }
    Faults faults;
    for (std::size_t i = 0; i < 300; ++i) {
      if (random() % 20 != 0) continue;
      const auto code = codes[random() % std::size(codes)];
      faults[i] = {code, code == ErrorCode::kOutcomeUnknown && random() % 2 == 0};
    }
    FlakyStore flaky(store, faults);
    const auto done = run_known(flaky, {.units_in_flight_max = 1 + random() % 32});
    ASSERT_TRUE(done) << done.error().message;
    auto found = written();
    std::ranges::sort(found);
    EXPECT_EQ(found, up_to(kUnits)) << round;
    EXPECT_EQ(totals.repeated + totals.appends, kUnits);
    EXPECT_EQ(totals.repeated, known);
    EXPECT_EQ(store->tracked("source").value(), 2 * kUnits);
  }
}

TEST_F(PipelineOfKnownUnits, WhatCannotBeEncodedIsRefusedBehindWhatWasThereAlready) {
  for (std::uint64_t n = 1; n <= 9; ++n) write_elsewhere(n);
  FlakyStore flaky(store, {});
  std::vector<std::uint64_t> left_out;
  Pipeline pipeline(flaky, {.source = "source", .leave_out = [&](const Unit& unit, const Error&) {
                              left_out.push_back(unit.tracked_to / 2);
                              return true;
                            }});
  ASSERT_TRUE(pipeline.begin());
  for (std::uint64_t n = 1; n <= 9; ++n) ASSERT_TRUE(pipeline.push(known_unit(n)));
  auto bad = known_unit(10);
  bad.events[1].stream = "";
  ASSERT_TRUE(pipeline.push(std::move(bad)));
  ASSERT_TRUE(pipeline.push(known_unit(11)));
  ASSERT_TRUE(pipeline.finish());
  EXPECT_EQ(left_out, std::vector<std::uint64_t>{10});
  EXPECT_EQ(store->tracked("source").value(), 22u);
  EXPECT_EQ(store->count(types({"A"})).value(), 10u);
}

TEST_F(PipelineTest, AStopEndsItWithEverythingSentAnswered) {
  FlakyStore flaky(store, {});
  std::stop_source stop;
  flaky.before_append = [&](std::size_t number) {
    if (number == 5) stop.request_stop();
  };
  const auto done = run(flaky, {.stop = stop.get_token(), .units_in_flight_max = 4});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(written(), up_to(totals.tracked_to / 2));
  EXPECT_GT(totals.tracked_to, 0u);
}

}  // namespace
}  // namespace esdb::tools
