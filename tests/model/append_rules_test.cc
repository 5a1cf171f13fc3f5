// Rules of appending that a table does not show: several violations at once, ids that came before
// in another form, and appends that rest on what is not yet durable.
#include <mutex>
#include <string>
#include <vector>

#include "tests/model/answers.h"
#include "tests/model/stores.h"

namespace esdb::model {
namespace {

class AppendRules : public EveryStore {
 protected:
  Position durable() { return store().statistics()->durable; }

  // Handed over before any is answered; the answers in the order of the requests.
  std::vector<Result<Appended>> append_at_once(const std::vector<AppendRequest>& requests,
                                               std::uint64_t session = 1) {
    std::mutex mutex;
    std::vector<std::optional<Result<Appended>>> answers(requests.size());
    std::size_t answered = 0;
    for (std::size_t i = 0; i < requests.size(); ++i)
      store().append(encoded(requests[i]), {.session = session}, [&, i](Result<Appended> answer) {
        const std::lock_guard lock(mutex);
        answers[i] = std::move(answer);
        ++answered;
      });
    EXPECT_TRUE(run_until(store(), [&] {
      const std::lock_guard lock(mutex);
      return answered == requests.size();
    }));
    std::vector<Result<Appended>> all;
    for (auto& answer : answers) all.push_back(*std::move(answer));
    return all;
  }
};

// ---- several violations at once

TEST_P(AppendRules, EveryViolatedCheckIsToldWithItsIndexAndWhatWasFound) {
  store()
      .append({.events = {event("a", "A", {"x"}), event("b", "B", {"y"}), event("a", "C")}})
      .value();
  store().append({.tracking = {{"one", 7}, {"two", 9}}}).value();
  const auto result = store().append(
      {.events = {event("new")},
       .checks = {Check::stream("a", Expect::exactly(2)), Check::stream("a", Expect::exactly(1)),
                  Check::stream("missing", Expect::exists()), Check::unchanged(types({"C"}), 2),
                  Check::unchanged(types({"C"}), 3), Check::unchanged(everything(), 1),
                  Check::absent(tagged({"y"})), Check::absent(tagged({"z"})),
                  Check::stream("b", Expect::none())},
       .tracking = {{"three", 1}, {"two", 9}, {"one", 3}}});
  ASSERT_EQ(word_of(result), "already_tracked");
  struct Wanted {
    std::size_t check;
    std::string what;
    Version actual;
    Position conflicting;
  };
  const std::vector<Wanted> wanted{
      {1, "stream a at version 1", 2, 0},
      {2, "stream missing exists", 0, 0},
      {3, "unchanged type:C after 2", 0, 3},
      {5, "unchanged " + to_string(everything()) + " after 1", 0, 2},
      {6, "absent tag:y", 0, 2},
      {8, "stream b does not exist", 1, 0},
      {Violation::kTrackingCheck, "two", 0, 9},
      {Violation::kTrackingCheck, "one", 0, 7},
  };
  const auto& found = result.error().violations;
  ASSERT_EQ(found.size(), wanted.size()) << to_text(result.error());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(found[i].check, wanted[i].check) << i;
    EXPECT_EQ(found[i].actual, wanted[i].actual) << i;
    EXPECT_EQ(found[i].conflicting, wanted[i].conflicting) << i;
    EXPECT_FALSE(found[i].what.empty()) << i;
    EXPECT_NE(result.error().message.find(found[i].what), std::string::npos)
        << result.error().message;
  }
  EXPECT_EQ(found[0].what, wanted[0].what);
  EXPECT_EQ(found[2].what, wanted[2].what);
  EXPECT_EQ(found[4].what, wanted[4].what);
  EXPECT_EQ(result.error().message.find('\n'), std::string::npos) << "one line";
  EXPECT_EQ(durable(), Position{3});
  EXPECT_EQ(store().tracked("three").value(), 0u);
}

TEST_P(AppendRules, TheGravestViolationGivesTheCode) {
  store().append({.events = {event("a", "A")}, .tracking = {{"s", 1}}}).value();
  const auto code = [&](bool conflict, bool absent, bool tracking) {
    AppendRequest request{.events = {event("b")}};
    if (conflict) request.checks.push_back(Check::stream("a", Expect::none()));
    if (absent) request.checks.push_back(Check::absent(types({"A"})));
    if (tracking) request.tracking.push_back({"s", 1});
    return word_of(store().append(request));
  };
  EXPECT_EQ(code(true, false, false), "conflict");
  EXPECT_EQ(code(true, true, false), "already_exists");
  EXPECT_EQ(code(false, true, false), "already_exists");
  EXPECT_EQ(code(true, false, true), "already_tracked");
  EXPECT_EQ(code(true, true, true), "already_tracked");
  EXPECT_EQ(code(false, false, true), "already_tracked");
  EXPECT_EQ(code(false, false, false), "done");
}

TEST_P(AppendRules, AnIdConflictComesBeforeWhatTheChecksSay) {
  const auto known = event("a");
  store().append({.events = {known}, .tracking = {{"s", 1}}}).value();
  const auto result = store().append({.events = {known, event("b")},
                                      .checks = {Check::stream("a", Expect::none())},
                                      .tracking = {{"s", 1}}});
  EXPECT_EQ(word_of(result), "id_conflict");
  EXPECT_TRUE(result.error().violations.empty());
}

// ---- the same ids in another form

TEST_P(AppendRules, AnotherGroupingOfKnownIdsIsRefusedAndNamesThem) {
  std::vector<NewEvent> events;
  for (int i = 0; i < 4; ++i) events.push_back(event("s-" + std::to_string(i)));
  store().append("before", event("")).value();
  store().append({.events = {events[0], events[1], events[2]}}).value();
  store().append({.events = {events[3]}}).value();
  struct Case {
    std::string name;
    std::vector<std::size_t> order;
    std::size_t named;  // the first event of the request that is known
  };
  for (const auto& [name, order, named] :
       {Case{"its beginning", {0, 1}, 0}, Case{"its end", {1, 2}, 1}, Case{"its middle", {1}, 1},
        Case{"reordered", {2, 1, 0}, 2}, Case{"two swapped", {0, 2, 1}, 0},
        Case{"together with another", {0, 1, 2, 3}, 0},
        Case{"another before it", {3, 0, 1, 2}, 3}}) {
    AppendRequest request;
    for (const auto i : order) request.events.push_back(events[i]);
    const auto result = store().append(request);
    EXPECT_EQ(word_of(result), "id_conflict") << name;
    if (result) continue;
    EXPECT_NE(result.error().message.find(to_string(events[named].id)), std::string::npos)
        << name << ": " << result.error().message;
    EXPECT_NE(result.error().message.find("position " + std::to_string(named + 2)),
              std::string::npos)
        << name << ": " << result.error().message;
  }
  AppendRequest longer{.events = {event("new"), events[0], events[1], events[2]}};
  EXPECT_EQ(word_of(store().append(longer)), "id_conflict");
  longer.events = {events[0], events[1], events[2], event("new")};
  EXPECT_EQ(word_of(store().append(longer)), "id_conflict");
  EXPECT_EQ(durable(), Position{5}) << "nothing of it was written";
}

TEST_P(AppendRules, WhatWasSentTogetherCannotBeSentAgainInTwo) {
  const auto a = event("a"), b = event("b");
  store().append({.events = {a, b}}).value();
  EXPECT_EQ(word_of(store().append({.events = {a}})), "id_conflict");
  EXPECT_EQ(word_of(store().append({.events = {b}})), "id_conflict");
  EXPECT_TRUE(store().append({.events = {a, b}})->repeated);
}

TEST_P(AppendRules, OtherContentUnderAKnownIdIsRefused) {
  const auto known = event("a", "A");
  store().append({.events = {known}}).value();
  const auto attempt = [&](auto change) {
    auto other = known;
    change(other);
    return word_of(store().append({.events = {other}}));
  };
  EXPECT_EQ(attempt([](NewEvent& e) { e.data = "{ }"; }), "id_conflict");
  EXPECT_EQ(attempt([](NewEvent& e) { e.data.clear(); }), "id_conflict");
  EXPECT_EQ(attempt([](NewEvent& e) { e.type = "B"; }), "id_conflict");
  EXPECT_EQ(attempt([](NewEvent& e) { e.stream = "b"; }), "id_conflict");
  EXPECT_EQ(attempt([](NewEvent& e) { e.metadata = "{}"; }), "done");
  EXPECT_EQ(durable(), Position{1});
}

TEST_P(AppendRules, AnIdConflictIsStillOneAfterARestart) {
  if (!body().persists) GTEST_SKIP() << "this store keeps nothing";
  const auto a = event("a"), b = event("b");
  const AppendRequest both{.events = {a, b}};
  const auto first = store().append(both).value();
  restart();
  EXPECT_EQ(word_of(store().append({.events = {b, a}})), "id_conflict");
  EXPECT_EQ(word_of(store().append({.events = {a}})), "id_conflict");
  auto again = store().append(both).value();
  EXPECT_TRUE(again.repeated);
  again.repeated = false;
  EXPECT_EQ(to_text(again), to_text(first));
}

// ---- appends that rest on what is in flight

TEST_P(AppendRules, AppendsOfOneSessionAreJudgedInTheirOrder) {
  std::vector<AppendRequest> requests;
  for (std::uint64_t i = 0; i < 100; ++i)
    requests.push_back(
        {.events = {event("s")}, .checks = {Check::stream("s", Expect::exactly(i))}});
  const auto answers = append_at_once(requests);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i].has_value()) << i << ": " << answers[i].error().message;
    EXPECT_EQ(answers[i]->version(), Version(i + 1));
  }
}

TEST_P(AppendRules, ARetryThatOvertakesTheAnswerGetsTheSameOne) {
  const AppendRequest request{.events = {event("a"), event("b")},
                              .checks = {Check::stream("a", Expect::none())}};
  const auto answers = append_at_once({request, request, request});
  ASSERT_TRUE(answers[0].has_value());
  EXPECT_FALSE(answers[0]->repeated);
  for (const auto i : {1, 2}) {
    ASSERT_TRUE(answers[i].has_value()) << answers[i].error().message;
    EXPECT_TRUE(answers[i]->repeated);
    EXPECT_EQ(answers[i]->first, answers[0]->first);
    EXPECT_EQ(answers[i]->last, answers[0]->last);
    EXPECT_EQ(answers[i]->committed, answers[0]->committed);
    EXPECT_EQ(answers[i]->version(), answers[0]->version());
  }
}

TEST_P(AppendRules, WhatIsInFlightViolatesTheChecksBehindIt) {
  const auto id = event("s");
  const auto answers = append_at_once({
      {.events = {event("s", "A", {"x"})}, .tracking = {{"source", 3}}},
      {.events = {event("s")}, .checks = {Check::stream("s", Expect::none())}},
      {.events = {event("t")}, .checks = {Check::absent(tagged({"x"}))}},
      {.events = {event("t")}, .checks = {Check::unchanged(types({"A"}), 0)}},
      {.events = {event("t")}, .tracking = {{"source", 3}}},
      {.events = {id}},
      {.events = {id, event("t")}},
      {.events = {event("t")}, .tracking = {{"source", 4}}},
  });
  const std::vector<std::string> wanted{
      "done",        "conflict", "already_exists", "conflict", "already_tracked", "done",
      "id_conflict", "done"};
  for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(word_of(answers[i]), wanted[i]) << i;
  EXPECT_EQ(answers[1].error().violations.at(0).actual, Version{1});
  EXPECT_EQ(answers[2].error().violations.at(0).conflicting, Position{1});
  EXPECT_EQ(durable(), Position{3});
}

TEST_P(AppendRules, AnAppendOfManyStreamsTellsEachVersionInOrderOfAppearance) {
  store().append("b", event("")).value();
  const auto appended =
      store()
          .append({.events = {event("c"), event("b"), event("a"), event("b"), event("c")}})
          .value();
  EXPECT_EQ(appended.first, Position{2});
  EXPECT_EQ(appended.last, Position{6});
  std::string streams;
  for (const auto& [name, version] : appended.streams) streams += name + to_string(version) + " ";
  EXPECT_EQ(streams, "c2 b3 a1 ");
}

TEST_P(AppendRules, AnAppendHoldsTogetherWhateverLiesAroundIt) {
  std::vector<AppendRequest> requests;
  for (int i = 0; i < 60; ++i) {
    AppendRequest request;
    for (int k = 0; k <= i % 5; ++k) request.events.push_back(event("s-" + std::to_string(k)));
    requests.push_back(std::move(request));
  }
  const auto answers = append_at_once(requests);
  std::vector<std::uint64_t> of_append, ends;
  store()
      .for_each(everything(), {},
                [&](RecordedEvent e) {
                  of_append.push_back(e.append().value);
                  if (e.ends_append()) ends.push_back(e.position().value);
                })
      .value();
  std::size_t position = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i].has_value());
    EXPECT_EQ(ends.at(i), answers[i]->last.value);
    for (; position < answers[i]->last.value; ++position)
      EXPECT_EQ(of_append.at(position), answers[i]->first.value);
  }
}

INSTANTIATE_TEST_SUITE_P(Every, AppendRules, ::testing::ValuesIn(bodies()), name_of_body);

}  // namespace
}  // namespace esdb::model
