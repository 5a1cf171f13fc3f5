#include "esdb/testing.h"

#include <gtest/gtest.h>

namespace esdb::testing {
namespace {

using namespace std::chrono_literals;

struct Door {
  bool open = false;
  void apply(RecordedEvent e) { open = e.type() == "Opened"; }
};

Result<Events> open_door(const Door& door) {
  if (door.open) return reject("already open");
  return Events{{.type = "Opened"}};
}

TEST(Scenario, SaysNothingWhereWhatWasExpectedHappened) {
  EXPECT_EQ(Scenario<Door>().when(open_door).then({{.type = "Opened"}}), "");
  EXPECT_EQ(Scenario<Door>()
                .given({{.type = "Opened"}, {.type = "Closed"}})
                .when(open_door)
                .then({{.type = "Opened"}}),
            "");
  EXPECT_EQ(
      Scenario<Door>().given({{.type = "Opened"}}).when(open_door).then_rejected("already open"),
      "");
}

TEST(Scenario, SaysWhatItExpectedAndWhatItFound) {
  EXPECT_EQ(Scenario<Door>().when(open_door).then({{.type = "Closed"}}),
            "expected:\n  Closed\nfound:\n  Opened\n");
  EXPECT_EQ(Scenario<Door>(Door{.open = true}).when(open_door).then({{.type = "Closed"}}),
            "expected:\n  Closed\nfound:\n  rejected: already open\n");
  EXPECT_EQ(Scenario<Door>().when(open_door).then_rejected("no"),
            "expected:\n  rejected: no\nfound:\n  Opened\n");
}

TEST(Testing, EventsAreDescribedOneALine) {
  EXPECT_EQ(describe({{.stream = "s", .type = "A", .data = "{}", .tags = {"y", "x", "y"}},
                      {.type = "B"}}),
            "  A {} in s tagged x, y\n  B\n");
}

TEST(Testing, EventsAreTheSameByStreamTypeDataAndTags) {
  const NewEvent event{.stream = "s", .type = "A", .data = "{}", .tags = {"x", "y"}};
  NewEvent like = event;
  like.id = EventId::make();
  like.metadata = "m";
  like.tags = {"y", "x"};
  EXPECT_TRUE(same({event}, {like}));
  like.data = "{ }";
  EXPECT_FALSE(same({event}, {like}));
  EXPECT_FALSE(same({event}, {}));
  EXPECT_FALSE(same({{.type = "A B"}}, {{.type = "A", .data = "B"}})) << "described alike";
}

TEST(Testing, AMemoryStoreTakesItsTimeFromTheClock) {
  ManualClock clock;
  auto store = memory_store(&clock);
  store->append("door-1", {.type = "Opened"}).value();
  clock.advance(1h);
  store->append("door-1", {.type = "Closed", .tags = {"t"}}).value();
  std::vector<std::string> types;
  store
      ->for_each(everything(), {.start = Start::since(clock.now())},
                 [&](RecordedEvent e) { types.emplace_back(e.type()); })
      .value();
  EXPECT_EQ(types, std::vector<std::string>{"Closed"});
  EXPECT_EQ(describe(all_events(*store, tagged({"t"}))), "  Closed in door-1 tagged t\n");
}

}  // namespace
}  // namespace esdb::testing
