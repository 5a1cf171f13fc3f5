#include "esdb/event.h"

#include <gtest/gtest.h>

#include "esdb/implement.h"
#include "protocol/encoded_event.h"

namespace esdb {
namespace {

struct Recorded {
  std::vector<std::byte> bytes{};
  RecordedEvent::Stored stored{};
  RecordedEvent event{&stored};

  explicit Recorded(const protocol::EventFields& fields) {
    protocol::encode(fields, bytes);
    stored = {.position = 12,
              .version = 3,
              .committed = Time(std::chrono::seconds(100)),
              .ordinal = 2,
              .ends_append = true,
              .id = fields.id,
              .encoded = bytes};
  }
  Recorded(const Recorded&) = delete;
};

protocol::EventFields fields() {
  return {.id = EventId::make(),
          .stream = "order-1",
          .type = "Placed",
          .data = "{}",
          .metadata = "m",
          .tags = {"course", "course:c1", "course:c2", "courses:x"}};
}

TEST(RecordedEvent, ShowsWhatIsStored) {
  const auto given = fields();
  const Recorded recorded(given);
  const auto& event = recorded.event;
  EXPECT_EQ(event.position(), Position{12});
  EXPECT_EQ(event.version(), Version{3});
  EXPECT_EQ(event.append(), Position{10});
  EXPECT_TRUE(event.ends_append());
  EXPECT_EQ(event.stream(), "order-1");
  EXPECT_EQ(event.type(), "Placed");
  EXPECT_EQ(event.data(), "{}");
  EXPECT_EQ(event.metadata(), "m");
  EXPECT_EQ(event.content_type(), "application/json");
  EXPECT_EQ(event.id(), given.id);
  EXPECT_TRUE(std::ranges::equal(event.tags(), given.tags));
  EXPECT_EQ(event.encoded().size(), recorded.bytes.size());
}

TEST(RecordedEvent, ItsTimeIsTheAuthorsOrElseTheCommits) {
  auto given = fields();
  EXPECT_EQ(Recorded(given).event.time(), Time(std::chrono::seconds(100)));
  given.time = Time(std::chrono::seconds(-5));
  EXPECT_EQ(Recorded(given).event.time(), Time(std::chrono::seconds(-5)));
}

TEST(RecordedEvent, ATagIsFoundByItsKey) {
  const Recorded recorded(fields());
  EXPECT_EQ(recorded.event.tag("course"), "c1") << "the first of several";
  EXPECT_EQ(recorded.event.tag("courses"), "x");
  EXPECT_EQ(recorded.event.tag("cour"), std::nullopt);
  EXPECT_EQ(recorded.event.tag("student"), std::nullopt);
}

TEST(RecordedEvent, ACopyIsTheEventAsItsAuthorMadeIt) {
  auto given = fields();
  given.content_type = "text/x-own";
  for (const auto time : {std::optional<Time>{}, std::optional<Time>{Time{}}}) {
    given.time = time;
    const auto copy = Recorded(given).event.copy();
    EXPECT_EQ(copy.id, given.id);
    EXPECT_EQ(copy.time, time);
    EXPECT_EQ(copy.stream, given.stream);
    EXPECT_EQ(copy.type, given.type);
    EXPECT_EQ(copy.data, given.data);
    EXPECT_EQ(copy.metadata, given.metadata);
    EXPECT_EQ(copy.content_type, given.content_type);
    EXPECT_EQ(copy.tags, (std::vector<Tag>{"course", "course:c1", "course:c2", "courses:x"}));
  }
}

TEST(Tag, KeyAndValueAreJoinedByAColon) { EXPECT_EQ((Tag{"course", "c1"}.text), "course:c1"); }

}  // namespace
}  // namespace esdb
