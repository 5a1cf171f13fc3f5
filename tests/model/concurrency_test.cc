// Many threads append to few streams and tags on conditions. Afterwards the log is the witness:
// what was accepted held at its place, and what was refused had its reason.
#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/fixtures/test_run.h"
#include "tests/model/answers.h"
#include "tests/model/chance.h"
#include "tests/model/stores.h"

namespace esdb::model {
namespace {

constexpr int kThreads = 6;
constexpr int kAttempts = 50;
constexpr std::uint64_t kClaims = 20;

struct Attempt {
  AppendRequest request{};
  Result<Appended> answer{};
};

// The whole log, by position from 1.
class Witness {
 public:
  explicit Witness(EventStore& store) {
    auto cursor = store.read(everything());
    do {
      batches_.push_back(cursor.next().value());
      for (const auto event : batches_.back()) events_.push_back(event);
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
  Version version_before(std::string_view stream, Position before) const {
    Version version{};
    for (const auto event : events_)
      if (event.position() < before && event.stream() == stream) version = event.version();
    return version;
  }

 private:
  std::vector<Batch> batches_{};
  std::vector<RecordedEvent> events_{};
};

// What one thread does; each decides by what it has just read.
class Actor {
 public:
  Actor(EventStore& store, std::uint64_t seed, int number)
      : store_(store), chance_(seed), number_(number) {}

  void act() {
    for (int i = 0; i < kAttempts; ++i) {
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
      auto answer = store_.append(request);
      attempts_.push_back({std::move(request), std::move(answer)});
    }
  }

  const std::vector<Attempt>& attempts() const { return attempts_; }

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

class Concurrency : public EveryStore {};

TEST_P(Concurrency, WhatIsAcceptedHeldAtItsPlaceAndWhatIsRefusedHasItsReason) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("ESDB_SEED=" + std::to_string(seed));
  std::vector<Actor> actors;
  for (int i = 0; i < kThreads; ++i)
    actors.emplace_back(store(), seed + static_cast<std::uint64_t>(i), i);
  {
    std::vector<std::jthread> threads;
    for (auto& actor : actors) threads.emplace_back([&actor] { actor.act(); });
  }
  const Witness log(store());
  expect_in_order(log);
  std::size_t written = 0;
  std::map<std::string, std::map<std::uint64_t, Position>> tracked;
  for (const auto& actor : actors)
    for (const auto& attempt : actor.attempts()) {
      if (!attempt.answer) {
        expect_refused_rightly(log, attempt);
        continue;
      }
      expect_accepted_rightly(log, attempt);
      written += attempt.request.events.size();
      for (const auto& [source, position, after] : attempt.request.tracking)
        EXPECT_TRUE(tracked[source].emplace(position, attempt.answer->first).second)
            << source << " " << position << " was accepted twice";
    }
  EXPECT_EQ(written, log.size());
  for (const auto& [source, positions] : tracked) {
    EXPECT_EQ(store().tracked(source).value(), positions.rbegin()->first);
    EXPECT_TRUE(std::ranges::is_sorted(positions, {}, [](const auto& p) { return p.second; }))
        << source << " grew in another order than the log";
  }
  for (std::uint64_t i = 0; i < kClaims; ++i)
    EXPECT_LE(store().count(tagged({{"claim", std::to_string(i)}})).value(), 1u);
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
