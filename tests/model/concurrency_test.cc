// Many threads append to few streams and tags on conditions. Afterwards the log is the witness:
// what was accepted held at its place, what was refused had its reason, and both fit into the time
// between the call and its answer (linearizability). ESDB_TEST_SCALE makes it longer.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/client/cutting_proxy.h"
#include "tests/fixtures/figures.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"
#include "tests/model/answers.h"
#include "tests/model/chance.h"
#include "tests/model/stores.h"
#include "tests/server/running_server.h"

namespace esdb::model {
namespace {

constexpr int kThreads = 6;
constexpr std::size_t kAttempts = 50;
constexpr std::uint64_t kClaims = 20;

// Calls and answers of all threads, in the order in which they came.
std::atomic<std::uint64_t> moments{0};

struct Attempt {
  AppendRequest request{};
  Result<Appended> answer{};
  std::uint64_t called{}, answered{};  // moments
};

// The whole log, by position from 1.
class Witness {
 public:
  explicit Witness(EventStore& store) {
    auto cursor = store.read(everything());
    do {
      batches_.push_back(cursor.next().value());
      for (const auto event : batches_.back()) {
        events_.push_back(event);
        of_stream_[std::string(event.stream())].push_back(event.position());
        of_id_[event.id()] = event.position();
      }
    } while (!batches_.back().finished());
  }

  std::size_t size() const { return events_.size(); }
  RecordedEvent at(Position position) const { return events_.at(position.value - 1); }
  // The first event in (after, before) that matches; 0 for none.
  Position first_match(const Query& query, Position after, Position before) const {
    for (auto p = after.value + 1; p < before.value && p <= size(); ++p)
      if (query.matches(at(p))) return p;
    return 0;
  }
  // The stream's version right before the position.
  Version version_before(const std::string& stream, Position before) const {
    const auto& all = positions_of(stream);
    return Version{static_cast<std::uint64_t>(std::ranges::lower_bound(all, before) - all.begin())};
  }
  const std::vector<Position>& positions_of(const std::string& stream) const {
    static const std::vector<Position> kNone;
    const auto found = of_stream_.find(stream);
    return found == of_stream_.end() ? kNone : found->second;
  }
  Position position_of(const EventId& id) const {  // 0: it is not there
    const auto found = of_id_.find(id);
    return found == of_id_.end() ? Position{} : found->second;
  }

 private:
  std::map<std::string, std::vector<Position>> of_stream_{};
  std::map<EventId, Position> of_id_{};
  std::vector<Batch> batches_{};
  std::vector<RecordedEvent> events_{};
};

// What one thread does; each decides by what it has just read.
class Actor {
 public:
  Actor(EventStore& store, std::uint64_t seed, int number)
      : store_(store), chance_(seed), number_(number) {}

  void act() {
    for (std::size_t i = 0; i < fixtures::scaled(kAttempts); ++i) {
      AppendRequest request;
      switch (chance_.below(5)) {
        case 0:
          request = expecting_a_version();
          break;
        case 1:
          request = expecting_no_change();
          break;
        case 2:
          request = claiming();
          break;
        case 3:
          request = tracking();
          break;
        default:
          request.events = {event(stream_name()), event("free-" + std::to_string(number_))};
          break;
      }
      const auto called = ++moments;
      auto answer = store_.append(request);
      attempts_.push_back({std::move(request), std::move(answer), called, ++moments});
    }
  }

  std::vector<Attempt>& attempts() { return attempts_; }

 private:
  std::string stream_name() { return "s-" + std::to_string(chance_.below(3)); }
  Tag tag() { return {"t", std::to_string(chance_.below(3))}; }

  AppendRequest expecting_a_version() {
    const auto name = stream_name();
    const auto version = store_.stream_info(name)->version;
    return {.events = {event(name), event(stream_name())},
            .checks = {Check::stream(name, Expect::exactly(version))}};
  }

  // A decision over everything that carries a tag, wherever it is.
  AppendRequest expecting_no_change() {
    const auto about = tag();
    const auto query = tagged({about});
    const auto read = store_.for_each(query, {}, [](RecordedEvent) {});
    return {.events = {event(stream_name(), "Decided", {about, tag()})},
            .checks = {Check::unchanged(query, read->considered())}};
  }

  AppendRequest claiming() {
    const Tag claim{"claim", std::to_string(chance_.below(kClaims))};
    return {.events = {event(stream_name(), "Claimed", {claim})},
            .checks = {Check::absent(tagged({claim}))}};
  }

  AppendRequest tracking() {
    const auto source = "source-" + std::to_string(chance_.below(2));
    return {.events = {event("tracking", source)},
            .tracking = {{source, store_.tracked(source).value() + 1}}};
  }

  EventStore& store_;
  Chance chance_;
  const int number_;
  std::vector<Attempt> attempts_{};
};

void expect_accepted_rightly(const Witness& log, const Attempt& attempt) {
  const auto& appended = *attempt.answer;
  const auto& events = attempt.request.events;
  ASSERT_EQ(appended.last.value - appended.first.value + 1, events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto found = log.at(appended.first.value + i);
    EXPECT_EQ(found.id(), events[i].id);
    EXPECT_EQ(found.append(), appended.first);
    EXPECT_EQ(found.ends_append(), i + 1 == events.size());
  }
  for (const auto& check : attempt.request.checks) {
    if (check.kind == Check::Kind::kStream) {
      EXPECT_EQ(log.version_before(check.name, appended.first), check.expect.version())
          << to_text(attempt.request) << "\n"
          << to_text(attempt.answer);
    } else {
      EXPECT_EQ(log.first_match(check.query, check.after, appended.first), Position{})
          << to_text(attempt.request) << "\n"
          << to_text(attempt.answer);
    }
  }
}

void expect_refused_rightly(const Witness& log, const Attempt& attempt) {
  const auto& error = attempt.answer.error();
  const auto text = to_text(attempt.request) + "\n" + to_text(error);
  ASSERT_FALSE(error.violations.empty()) << text;
  for (const auto& violation : error.violations) {
    if (violation.check == Violation::kTrackingCheck) {
      EXPECT_GE(violation.conflicting.value, attempt.request.tracking.at(0).position) << text;
      continue;
    }
    const auto& check = attempt.request.checks.at(violation.check);
    if (check.kind == Check::Kind::kStream) {
      EXPECT_NE(violation.actual, check.expect.version()) << text;
      EXPECT_LE(violation.actual, log.version_before(check.name, log.size() + 1)) << text;
    } else {
      ASSERT_LE(violation.conflicting.value, log.size()) << text;
      EXPECT_GT(violation.conflicting, check.after) << text;
      EXPECT_EQ(log.first_match(check.query, check.after, violation.conflicting.value + 1),
                violation.conflicting)
          << text;
    }
  }
}

// Who cannot know what became of it learns it from the log, whole or not at all.
void settle(const Witness& log, Attempt& attempt) {
  if (attempt.answer || attempt.answer.error().code != ErrorCode::kOutcomeUnknown) return;
  const auto& events = attempt.request.events;
  const auto first = log.position_of(events.front().id);
  for (std::size_t i = 0; i < events.size(); ++i)
    EXPECT_EQ(log.position_of(events[i].id), Position{first ? first.value + i : 0});
  if (first) attempt.answer = Appended{.first = first, .last = first.value + events.size() - 1};
}

// Of two appends of which one was answered before the other was called, it comes first in the log.
void expect_real_time_order(const std::map<std::uint64_t, const Attempt*>& by_position) {
  std::uint64_t answered = ~std::uint64_t{0};  // the earliest, of what is further behind in the log
  for (auto at = by_position.rbegin(); at != by_position.rend(); ++at) {
    EXPECT_LT(at->second->called, answered)
        << to_text(at->second->request) << " lies before what was answered when it was called";
    answered = std::min(answered, at->second->answered);
  }
}

// The version that a refusal names was the stream's at some moment between call and answer.
void expect_current(const Witness& log, const Attempt& refused,
                    const std::map<std::uint64_t, const Attempt*>& by_position) {
  const auto written_by = [&](Position position) {
    return std::prev(by_position.upper_bound(position.value))->second;
  };
  for (const auto& violation : refused.answer.error().violations) {
    if (violation.check == Violation::kTrackingCheck) continue;
    const auto& check = refused.request.checks.at(violation.check);
    if (check.kind != Check::Kind::kStream) continue;
    const auto& positions = log.positions_of(check.name);
    const auto version = violation.actual.value;
    if (version > 0) {
      EXPECT_LT(written_by(positions.at(version - 1))->called, refused.answered)
          << to_text(refused.request);
    }
    if (version < positions.size()) {
      EXPECT_GT(written_by(positions.at(version))->answered, refused.called)
          << to_text(refused.request);
    }
  }
}

void expect_in_order(const Witness& log) {
  std::map<std::string, std::uint64_t> versions;
  std::set<EventId> ids;
  Time last{};
  for (std::uint64_t p = 1; p <= log.size(); ++p) {
    const auto found = log.at(p);
    ASSERT_EQ(found.position(), Position{p});
    EXPECT_EQ(found.version(), Version{++versions[std::string(found.stream())]});
    EXPECT_TRUE(ids.insert(found.id()).second) << "written twice: " << to_text(found);
    EXPECT_GE(found.committed(), last);
    last = found.committed();
  }
}

// What became of the attempts, held against the log. `may_be_unknown`: somebody cuts connections.
void expect_linearizable(EventStore& store, std::vector<Actor>& actors,
                         bool may_be_unknown = false) {
  const Witness log(store);
  expect_in_order(log);
  std::size_t written = 0;
  std::map<std::string, std::map<std::uint64_t, Position>> tracked;
  std::map<std::uint64_t, const Attempt*> by_position;
  for (auto& actor : actors)
    for (auto& attempt : actor.attempts()) {
      EXPECT_TRUE(may_be_unknown || attempt.answer ||
                  attempt.answer.error().code != ErrorCode::kOutcomeUnknown);
      settle(log, attempt);
      if (!attempt.answer) continue;
      expect_accepted_rightly(log, attempt);
      written += attempt.request.events.size();
      by_position[attempt.answer->first.value] = &attempt;
      for (const auto& [source, position, after] : attempt.request.tracking)
        EXPECT_TRUE(tracked[source].emplace(position, attempt.answer->first).second)
            << source << " " << position << " was accepted twice";
    }
  EXPECT_EQ(written, log.size());
  expect_real_time_order(by_position);
  std::size_t attempts = 0, refused = 0;
  for (auto& actor : actors)
    for (const auto& attempt : actor.attempts()) {
      ++attempts;
      if (attempt.answer || attempt.answer.error().code == ErrorCode::kOutcomeUnknown) continue;
      ++refused;
      expect_refused_rightly(log, attempt);
      expect_current(log, attempt, by_position);
    }
  for (const auto& [source, positions] : tracked) {
    EXPECT_EQ(store.tracked(source).value(), positions.rbegin()->first);
    EXPECT_TRUE(std::ranges::is_sorted(positions, {}, [](const auto& p) { return p.second; }))
        << source << " grew in another order than the log";
  }
  for (std::uint64_t i = 0; i < kClaims; ++i)
    EXPECT_LE(store.count(tagged({{"claim", std::to_string(i)}})).value(), 1u);
  EXPECT_GT(written, 0U);
  EXPECT_GT(refused, 0U);
  fixtures::tell("concurrent appends", {{attempts, "appends"}, {refused, "refused"}});
}

void act_at_once(std::vector<Actor>& actors) {
  std::vector<std::jthread> threads;
  for (auto& actor : actors) threads.emplace_back([&actor] { actor.act(); });
}

class Concurrency : public EveryStore {};

TEST_P(Concurrency, WhatIsAcceptedHeldAtItsPlaceAndWhatIsRefusedHasItsReason) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("ESDB_SEED=" + std::to_string(seed));
  std::vector<Actor> actors;
  for (int i = 0; i < kThreads; ++i)
    actors.emplace_back(store(), seed + static_cast<std::uint64_t>(i), i);
  act_at_once(actors);
  expect_linearizable(store(), actors);
}

TEST(CutConnections, LeaveTheSameAnswersToAppendsOnConditions) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("ESDB_SEED=" + std::to_string(seed));
  const fixtures::ScratchDirectory scratch;
  auto served =
      esdb::open(scratch.path("store"), {.drive = Drive::kCaller, .memory = kMemoryMin}).value();
  tests::RunningServer server(*served, {"unix:" + scratch.path("server")});
  ASSERT_EQ(server.failure(), nullptr);
  // What a decision reads grows with the log, and must get through between two cuts.
  tests::CuttingProxy proxy(scratch.path("proxy"), scratch.path("server"),
                            {.seed = seed, .bytes_max = fixtures::scaled(40'000)});
  std::vector<std::unique_ptr<EventStore>> clients;
  while (clients.size() < 3)
    if (auto client =
            esdb::open("unix:" + scratch.path("proxy"), {.timeout = std::chrono::minutes(1)}))
      clients.push_back(*std::move(client));
  std::vector<Actor> actors;
  for (int i = 0; i < kThreads; ++i)
    actors.emplace_back(*clients[static_cast<std::size_t>(i) % clients.size()],
                        seed + static_cast<std::uint64_t>(i), i);
  act_at_once(actors);
  EXPECT_GT(proxy.cuts(), 0U);
  expect_linearizable(*esdb::open(server.url()).value(), actors, true);
}

TEST_P(Concurrency, TheSameAppendFromManyThreadsIsWrittenOnce) {
  for (int round = 0; round < 10; ++round) {
    const AppendRequest request{.events = {event("once"), event("once")}};
    std::mutex mutex;
    std::vector<Appended> answers;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&] {
          auto answer = store().append(request).value();
          const std::lock_guard lock(mutex);
          answers.push_back(std::move(answer));
        });
    }
    EXPECT_EQ(std::ranges::count(answers, false, &Appended::repeated), 1);
    for (auto& answer : answers) {
      answer.repeated = false;
      EXPECT_EQ(to_text(answer), to_text(answers.front()));
    }
  }
  EXPECT_EQ(store().stream_info("once")->version, Version{20});
}

TEST_P(Concurrency, ReadersMeetEveryAppendWholeWhileItIsWritten) {
  std::atomic<bool> ended = false;
  std::atomic<std::uint64_t> broken = 0, read = 0;
  std::vector<std::jthread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      while (!ended) {
        // An acknowledged append is seen by every read that begins after it, and whole.
        const auto before = store().statistics()->durable;
        std::uint64_t position = 0;
        bool whole = true;
        const auto all = store().for_each(everything(), {}, [&](RecordedEvent e) {
          broken += e.position() != ++position;
          whole = e.ends_append();
        });
        broken += !whole || all->considered() < before;
        ++read;
      }
    });
  for (int i = 0; i < 150 || read < 4; ++i)
    store().append({.events = {event("a"), event("b"), event("a")}}).value();
  ended = true;
  readers.clear();
  EXPECT_EQ(broken, 0u);
}

INSTANTIATE_TEST_SUITE_P(Every, Concurrency, ::testing::ValuesIn(bodies()), name_of_body);

}  // namespace
}  // namespace esdb::model
