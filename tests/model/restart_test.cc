// What a store that keeps its events holds when it is opened again.
#include <chrono>
#include <string>
#include <vector>

#include "esdb/testing.h"
#include "tests/fixtures/test_run.h"
#include "tests/model/answers.h"
#include "tests/model/chance.h"
#include "tests/model/stores.h"
#include "tests/model/words.h"

namespace esdb::model {
namespace {

using namespace std::chrono_literals;

std::string whole_log(EventStore& store) {
  std::string text;
  store.for_each(everything(), {}, [&](RecordedEvent e) { text += to_text(e) + "\n"; }).value();
  return text;
}

// Everything that can be asked, but for ids.
std::string everything_about(EventStore& store) {
  std::string text = whole_log(store) + to_text(store.streams()) + to_text(store.tracking()) +
                     to_text(store.statistics());
  for (const auto kind : {TermKind::kCategory, TermKind::kType, TermKind::kTag})
    text += to_text(store.terms(kind));
  return text;
}

class Restart : public EveryStore {
 protected:
  void SetUp() override {
    if (!body().persists) GTEST_SKIP() << "this store keeps nothing";
    EveryStore::SetUp();
  }
  // Enough to fill segments.
  void write_some(Chance& chance) {
    for (int i = 0; i < 25; ++i) {
      AppendRequest request;
      for (auto left = 1 + chance.below(3); left != 0; --left) {
        request.events.push_back(random_event(chance));
        if (i % 3 == 0) request.events.back().data = std::string(40'000, 'x');
      }
      if (i % 4 == 0)
        request.tracking.push_back({random_source(chance), chance.below(1'000'000'000)});
      const auto answer = store().append(request);
      EXPECT_TRUE(answer || answer.error().code == ErrorCode::kAlreadyTracked) << to_text(answer);
    }
  }
};

TEST_P(Restart, LeavesEverythingAsItWas) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("ESDB_SEED=" + std::to_string(seed));
  Chance chance(seed);
  for (int round = 0; round < 4; ++round) {
    const auto id = store().statistics()->store_id;
    write_some(chance);
    const auto before = everything_about(store());
    for (int times = 0; times < 2; ++times) {
      restart();
      EXPECT_EQ(everything_about(store()), before) << "round " << round;
    }
    EXPECT_EQ(store().statistics()->store_id, id);
  }
}

TEST_P(Restart, LetsPositionsAndVersionsGoOn) {
  EXPECT_EQ(store().append("s", event(""))->first, Position{1});
  for (std::uint64_t i = 2; i <= 5; ++i) {
    restart();
    const auto appended = store().append("s", Expect::exactly(i - 1), {event("")}).value();
    EXPECT_EQ(appended.first, Position{i});
    EXPECT_EQ(appended.version(), Version{i});
    EXPECT_EQ(word_of(store().append("s", Expect::exactly(i - 1), {event("")})), "conflict");
  }
}

TEST_P(Restart, BeginsAnEpochWithTheFirstAppendAndKeepsEarlierCheckpoints) {
  EXPECT_EQ(store().statistics()->epoch_id, "");
  std::vector<std::string> epochs;
  std::vector<Checkpoint> checkpoints;
  for (int i = 0; i < 3; ++i) {
    if (i > 0) {
      restart();
      EXPECT_EQ(store().statistics()->epoch_id, epochs.back()) << "nothing was appended yet";
    }
    store().append("s", event("")).value();
    epochs.push_back(store().statistics()->epoch_id);
    auto cursor = store().read(everything());
    checkpoints.push_back(cursor.next()->checkpoint());
    EXPECT_EQ(checkpoints.back().epoch_id, epochs.back());
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
  for (std::size_t i = 0; i < 3; ++i) {
    std::uint64_t after = 0;
    store()
        .for_each(everything(), {.start = Start::after(checkpoints[i])},
                  [&](RecordedEvent) { ++after; })
        .value();
    EXPECT_EQ(after, 2 - i);
    auto other = checkpoints[i];
    other.epoch_id = epochs[(i + 1) % 3];
    EXPECT_EQ(word_of(store().read(everything(), {.start = Start::after(other)}).next()),
              "other_store");
  }
}

TEST_P(Restart, LetsASubscriptionGoOnFromItsCheckpoint) {
  for (int i = 0; i < 3; ++i) store().append("s-" + std::to_string(i % 2), event("")).value();
  const auto seen = store().subscribe(stream("s-0")).next()->checkpoint();
  restart();
  store().append("s-1", event("")).value();
  store().append("s-0", event("")).value();
  auto cursor = store().subscribe(stream("s-0"), Start::after(seen));
  const auto batch = cursor.next().value();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ((*batch.begin()).version(), Version{3});
  EXPECT_EQ(batch.version(), Version{3});
}

TEST_P(Restart, ShowsTheSameReadOnlyAndIsNotWrittenTo) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("ESDB_SEED=" + std::to_string(seed));
  Chance chance(seed);
  write_some(chance);
  const auto before = everything_about(store());
  for (int times = 0; times < 3; ++times) {
    const auto read_only = restart_read_only();
    auto shown = everything_about(*read_only);
    const std::string state = "read_only: opened for reading";
    ASSERT_NE(shown.find(state), shown.npos);
    shown.replace(shown.find(state), state.size(), "ready");
    EXPECT_EQ(shown, before);
    EXPECT_EQ(word_of(read_only->append("s", event(""))), "read_only");
  }
  restart();
  EXPECT_EQ(everything_about(store()), before);
}

TEST_P(Restart, RemembersWhatWasOnlyTracked) {
  store().append({.tracking = {{"a", 7}, {"b", 1}}}).value();
  store().append({.tracking = {{"a", 9}}}).value();
  restart();
  EXPECT_EQ(store().tracked("a").value(), 9u);
  EXPECT_EQ(store().tracked("b").value(), 1u);
  EXPECT_EQ(word_of(store().append({.tracking = {{"a", 9}}})), "already_tracked");
  EXPECT_EQ(word_of(store().append({.tracking = {{"a", 10, 8}}})), "already_tracked");
  EXPECT_EQ(word_of(store().append({.tracking = {{"a", 10, 9}}})), "done");
}

INSTANTIATE_TEST_SUITE_P(Every, Restart, ::testing::ValuesIn(bodies()), name_of_body);

// ---- a subscription that begins at a time

class FromATime : public EveryStore {};

TEST_P(FromATime, ASubscriptionDoesNotGiveWhatIsCommittedBeforeIt) {
  if (!body().takes_clock) GTEST_SKIP() << "this store takes no clock";
  esdb::testing::ManualClock clock;
  auto with_clock = options();
  with_clock.clock = &clock;
  open(with_clock);
  store().append("s", event("")).value();
  auto cursor = store().subscribe(everything(), Start::since(clock.now() + 2h));
  for (int i = 0; i < 4; ++i) {
    const auto batch = cursor.next({.wait = 0ms}).value();
    EXPECT_EQ(batch.size(), i < 2 ? 0u : 1u) << i;
    clock.advance(1h);
    store().append("s", event("")).value();
  }
}

INSTANTIATE_TEST_SUITE_P(Every, FromATime, ::testing::ValuesIn(bodies()), name_of_body);

}  // namespace
}  // namespace esdb::model
