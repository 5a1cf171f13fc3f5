// The table of what an append answers: every kind of check, on something that is there or is not,
// which the append writes itself or only checks, the first time and each time it is repeated. What
// is expected follows from the rules of appending (esdb/append.h, docs/durability.md), written down
// here as rules.
#include <map>
#include <string>
#include <vector>

#include "tests/model/answers.h"
#include "tests/model/stores.h"

namespace esdb::model {
namespace {

enum class Kind : std::uint8_t { kExact, kNone, kExists, kUnchanged, kAbsent, kTracking };
enum class Moment : std::uint8_t { kFirst, kRetry, kRestarted, kBeyondWindow, kAgain };

// `there`: what is asked about (a stream, a matching event, a tracking position) is in the log
// before. `written`: the append writes such a thing itself; of tracking: it carries an event.
struct Row {
  Kind kind{};
  bool there{};
  bool written{};
};

std::string_view name_of(Kind kind) {
  constexpr std::string_view kNames[]{"exact", "none", "exists", "unchanged", "absent", "tracking"};
  return kNames[static_cast<std::size_t>(kind)];
}
std::string_view name_of(Moment moment) {
  constexpr std::string_view kNames[]{"first", "retry", "after a restart", "beyond the window",
                                      "and again"};
  return kNames[static_cast<std::size_t>(moment)];
}
std::string text_of(const Row& row) {
  return std::string(name_of(row.kind)) + (row.there ? " of what is there" : " of what is not") +
         (row.written ? ", written" : ", only checked");
}

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const auto kind :
       {Kind::kExact, Kind::kNone, Kind::kExists, Kind::kUnchanged, Kind::kAbsent, Kind::kTracking})
    for (const bool there : {true, false})
      for (const bool written : {true, false}) all.push_back({kind, there, written});
  return all;
}

// ---- the rules

// Expecting version 1, or that there is something, holds of what is there; all else asks that
// nothing is.
bool holds_at_first(const Row& row) {
  const bool wants_it = row.kind == Kind::kExact || row.kind == Kind::kExists;
  return row.there == wants_it;
}

std::string refusal_of(Kind kind) {
  if (kind == Kind::kAbsent) return "already_exists";
  if (kind == Kind::kTracking) return "already_tracked";
  return "conflict";
}

// What the append has written violates its own check from then on.
bool violates_itself(const Row& row) {
  return row.written && row.kind != Kind::kExists && row.kind != Kind::kTracking;
}
bool has_events(const Row& row) { return row.kind != Kind::kTracking || row.written; }

std::string expected(const Row& row, Moment moment) {
  if (!holds_at_first(row)) return refusal_of(row.kind);
  if (moment == Moment::kFirst) return "written";
  // A retry is known by its ids as long as they are in the window ...
  const bool in_window = moment == Moment::kRetry || moment == Moment::kRestarted;
  if (has_events(row) && in_window) return "repeated";
  // ... and for ever by the check that its own events violate.
  if (violates_itself(row)) return "repeated";
  if (row.kind == Kind::kTracking) return "already_tracked";
  // What the window has lost is written a second time, and is then in it again.
  return moment == Moment::kBeyondWindow ? "written" : "repeated";
}

// ---- the appends

class Attempt {
 public:
  Attempt(Row asked, std::size_t number) : row(asked) {
    const auto n = std::to_string(number);
    target_ = "row-" + n;
    tag_ = Tag("row", n);
    source_ = "source-" + n;
    if (has_events(row)) request.events.push_back(row.written ? own() : event("other-" + n));
    switch (row.kind) {
      case Kind::kExact:
        request.checks.push_back(Check::stream(target_, Expect::exactly(1)));
        break;
      case Kind::kNone:
        request.checks.push_back(Check::stream(target_, Expect::none()));
        break;
      case Kind::kExists:
        request.checks.push_back(Check::stream(target_, Expect::exists()));
        break;
      case Kind::kUnchanged:
        request.checks.push_back(Check::unchanged(tagged({tag_}), 0));
        break;
      case Kind::kAbsent:
        request.checks.push_back(Check::absent(tagged({tag_})));
        break;
      case Kind::kTracking:
        request.tracking.push_back({source_, 5});
        break;
    }
  }

  void prepare(EventStore& store) {
    if (!row.there) return;
    if (row.kind == Kind::kTracking) {
      store.append({.tracking = {{source_, 5}}}).value();
    } else {
      there_ = store.append({.events = {own()}})->first;
    }
  }

  // The word for what came, and what is wrong with its particulars.
  std::string attempt(EventStore& store) {
    const auto result = store.append(request);
    if (!result) return word_of(result) + wrong_with(result.error());
    if (!result->repeated) {
      answer_ = *result;
      return "written";
    }
    Appended again = *result;
    again.repeated = false;
    return to_text(again) == to_text(answer_)
               ? "repeated"
               : "repeated, but not as first: " + to_text(again) + ", not " + to_text(answer_);
  }

  Row row;
  AppendRequest request{};

 private:
  NewEvent own() const { return event(target_, "Own", {tag_}); }

  std::string wrong_with(const Error& error) const {
    if (error.violations.size() != 1) return " without its one violation: " + to_text(error);
    const auto& violation = error.violations.front();
    const bool of_tracking = row.kind == Kind::kTracking;
    const bool of_stream =
        row.kind == Kind::kExact || row.kind == Kind::kNone || row.kind == Kind::kExists;
    const bool right = violation.check == (of_tracking ? Violation::kTrackingCheck : 0) &&
                       violation.actual == Version(of_stream && row.there ? 1 : 0) &&
                       violation.conflicting == (of_tracking ? Position(5)
                                                 : of_stream ? Position(0)
                                                             : there_) &&
                       !violation.what.empty();
    return right ? "" : " with another violation: " + to_text(error);
  }

  std::string target_{};
  Tag tag_{""};
  std::string source_{};
  Position there_{};
  Appended answer_{};
};

class Table {
 public:
  explicit Table(EventStore& store) {
    for (const auto& row : rows()) attempts_.emplace_back(row, attempts_.size());
    for (auto& attempt : attempts_) attempt.prepare(store);
  }

  void attempt_all(EventStore& store, Moment moment) {
    for (auto& attempt : attempts_) {
      const auto wanted = expected(attempt.row, moment);
      const auto found = attempt.attempt(store);
      right_ = right_ && found == wanted;
      text_ += (found == wanted ? "  " : "x ") + text_of(attempt.row) + ", " +
               std::string(name_of(moment)) + ": expected " + wanted + ", found " + found + "\n";
    }
  }

  bool right() const { return right_; }
  const std::string& text() const { return text_; }

 private:
  std::vector<Attempt> attempts_{};
  bool right_ = true;
  std::string text_ = "\n";
};

// More events than the window of ids holds.
void leave_window(EventStore& store) {
  constexpr std::size_t kAtOnce = 1000;
  for (std::uint64_t written = 0; written <= kSmallWindow; written += kAtOnce) {
    AppendRequest request;
    for (std::size_t i = 0; i < kAtOnce; ++i)
      request.events.push_back({.stream = "filler", .type = "F"});
    store.append(request).value();
  }
}

class AppendTable : public EveryStore {};

TEST_P(AppendTable, EveryCheckAnswersByTheRulesAtFirstAndWhenRepeated) {
  Table table(store());
  table.attempt_all(store(), Moment::kFirst);
  table.attempt_all(store(), Moment::kRetry);
  if (body().persists) {
    restart();
    table.attempt_all(store(), Moment::kRestarted);
  }
  leave_window(store());
  table.attempt_all(store(), Moment::kBeyondWindow);
  table.attempt_all(store(), Moment::kAgain);
  if (body().persists) {
    restart();
    table.attempt_all(store(), Moment::kAgain);
  }
  EXPECT_TRUE(table.right()) << table.text();
}

TEST_P(AppendTable, ARetryBeyondTheWindowIsComparedAfterARestartToo) {
  if (!body().persists) GTEST_SKIP() << "this store keeps nothing";
  Table table(store());
  table.attempt_all(store(), Moment::kFirst);
  leave_window(store());
  restart();
  table.attempt_all(store(), Moment::kBeyondWindow);
  EXPECT_TRUE(table.right()) << table.text();
}

TEST_P(AppendTable, BeyondTheWindowAnIdIsStillComparedWhereACheckLeadsToIt) {
  const AppendRequest first{.events = {event("s", "First"), event("s", "Second")},
                            .checks = {Check::stream("s", Expect::none())}};
  store().append(first).value();
  leave_window(store());
  EXPECT_TRUE(store().append(first)->repeated);
  auto other = first;
  other.events[0].data = "other";
  EXPECT_EQ(word_of(store().append(other)), "id_conflict");
  auto longer = first;
  longer.events.push_back(event("s"));
  EXPECT_EQ(word_of(store().append(longer)), "id_conflict");
  auto rest = first;
  rest.events.erase(rest.events.begin());
  EXPECT_EQ(word_of(store().append(rest)), "id_conflict");
  auto fresh = first;
  for (auto& e : fresh.events) e.id = EventId::make();
  EXPECT_EQ(word_of(store().append(fresh)), "conflict");
}

INSTANTIATE_TEST_SUITE_P(Every, AppendTable, ::testing::ValuesIn(bodies()), name_of_body);

}  // namespace
}  // namespace esdb::model
