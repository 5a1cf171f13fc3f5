#include "storage/looking.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/fixtures/test_run.h"
#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

class Looks : public ::testing::Test {
 protected:
  Looks() : seed_(fixtures::seed()), random_(seed_) {
    for (int i = 0; i < 400; ++i) {
      auto event = event_of("cat" + any(3) + "-" + any(40), "T" + any(5));
      if (random_() % 2 == 0) event.tags = {Tag("color", any(3)), Tag("size", any(2))};
      setup_.put("", std::move(event));
      if (random_() % 3 == 0) setup_.writer.advance();
    }
    setup_.writer.advance();
    EXPECT_TRUE(setup_.log->read_forwards(0, 400, {.bytes = 1 << 30}, all_));
  }
  std::string any(std::uint64_t below) { return std::to_string(random_() % below); }
  Sources sources() const { return setup_.sources(); }
  std::uint64_t matches(const Query& query, Position after = 0) const {
    return static_cast<std::uint64_t>(std::ranges::count_if(all_.stored, [&](const auto& stored) {
      return stored.position > after && query.matches(RecordedEvent(&stored));
    }));
  }
  // Every stream's last event.
  std::map<std::string, RecordedEvent> streams_so_far() const {
    std::map<std::string, RecordedEvent> found;
    for (const auto& stored : all_.stored)
      found.insert_or_assign(std::string(RecordedEvent(&stored).stream()), RecordedEvent(&stored));
    return found;
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  WriterSetup setup_{};
  BatchMemory all_{};
};

TEST_F(Looks, AStreamIsKnownByItsLastEvent) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  for (const auto& [name, last] : streams_so_far()) {
    const auto info = stream_info(sources(), name).value();
    EXPECT_EQ(info.name, name);
    EXPECT_EQ(info.version, last.version());
    EXPECT_EQ(info.first_version, Version{1});
    EXPECT_EQ(info.last_position, last.position());
    EXPECT_EQ(info.last_committed, last.committed());
  }
}

TEST_F(Looks, AStreamThatWasNeverWrittenIsAnAnswer) {
  const auto info = stream_info(sources(), "never").value();
  EXPECT_EQ(info.name, "never");
  EXPECT_EQ(info.version, Version{0});
  EXPECT_EQ(info.last_position, Position{0});
  EXPECT_EQ(stream_info(sources(), "").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Looks, PagesOfStreamsGiveEachOnceInOrder) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const auto all = streams_so_far();
  for (const std::string prefix : {"", "cat1", "cat1-2", "none"}) {
    for (const std::size_t limit : {1, 7, 1'000}) {
      std::vector<std::string> expected, found;
      for (const auto& [name, last] : all)
        if (name.starts_with(prefix)) expected.push_back(name);
      std::string after;
      do {
        const auto page =
            streams(sources(), {.prefix = prefix, .after = after, .limit = limit}).value();
        EXPECT_LE(page.streams.size(), limit);
        for (const auto& info : page.streams) {
          found.push_back(info.name);
          EXPECT_EQ(info.last_position, all.at(info.name).position());
        }
        after = page.next;
      } while (!after.empty() && found.size() < 1'000);
      EXPECT_EQ(found, expected);
    }
  }
  EXPECT_FALSE(streams(sources(), {.limit = 0})) << "a page of nothing never ends";
}

TEST_F(Looks, TermsInUseAreCounted) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const auto categories = terms(sources(), TermKind::kCategory, {.limit = 10}).value();
  ASSERT_EQ(categories.terms.size(), 3U);
  for (const auto& term : categories.terms) EXPECT_EQ(term.events, matches(category(term.text)));
  const auto colors = terms(sources(), TermKind::kTag, {.prefix = "color:", .limit = 10}).value();
  ASSERT_EQ(colors.terms.size(), 3U);
  for (const auto& term : colors.terms) EXPECT_EQ(term.events, matches(tagged({Tag(term.text)})));
  const auto page = terms(sources(), TermKind::kType, {.after = "T1", .limit = 2}).value();
  ASSERT_EQ(page.terms.size(), 2U);
  EXPECT_EQ(page.terms[0].text, "T2");
  EXPECT_EQ(page.terms[1].events, matches(types({"T3"})));
  EXPECT_EQ(page.next, "T3");
}

TEST_F(Looks, CountsAgreeWithLookingAtEveryEvent) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const std::vector<Query> queries{everything(),
                                   stream("cat1-3"),
                                   stream("never"),
                                   category("cat2"),
                                   types({"T1"}),
                                   types({"T1", "T2"}),
                                   tagged({{"color", "1"}}),
                                   tagged({{"color", "1"}, {"size", "0"}}),
                                   category("cat1").types({"T3"}),
                                   types({"T1"}) | tagged({{"color", "1"}}),
                                   everything() | types({"T1"})};
  for (const auto& query : queries)
    for (const std::uint64_t after : {0, 1, 250, 400})
      EXPECT_EQ(count(sources(), query, after).value(), matches(query, after))
          << to_string(query) << " after " << after;
  EXPECT_EQ(count(sources(), Query(), 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(count(sources(), everything(), 401).error().code, ErrorCode::kOtherStore);
}

TEST_F(Looks, NothingThatIsNotDurableIsCounted) {
  setup_.io.hold();
  setup_.append("", {.events = {event_of("fresh", "Fresh")},
                     .tracking = {{.source = "relay", .position = 1}}});
  EXPECT_EQ(count(sources(), types({"Fresh"}), 0).value(), 0U);
  EXPECT_EQ(count(sources(), everything(), 0).value(), 400U);
  EXPECT_EQ(stream_info(sources(), "fresh")->version, Version{0});
  EXPECT_EQ(tracked(sources(), "relay").value(), 0U);
  EXPECT_EQ(statistics(sources())->events, 400U);
  setup_.io.release();
  setup_.writer.advance();
  EXPECT_EQ(count(sources(), types({"Fresh"}), 0).value(), 1U);
  EXPECT_EQ(tracked(sources(), "relay").value(), 1U);
}

TEST_F(Looks, TrackingIsReadBackBySourceAndInPages) {
  for (const auto* source : {"b", "a", "c"})
    for (const std::uint64_t position : {3, 8})
      setup_.append("", {.tracking = {{.source = source, .position = position}}});
  EXPECT_EQ(tracked(sources(), "a").value(), 8U);
  EXPECT_EQ(tracked(sources(), "never").value(), 0U);
  const auto page = tracking(sources(), {.limit = 2}).value();
  ASSERT_EQ(page.sources.size(), 2U);
  EXPECT_EQ(page.sources[0].source, "a");
  EXPECT_EQ(page.sources[1].source, "b");
  EXPECT_EQ(page.sources[1].position, 8U);
  const auto rest = tracking(sources(), {.after = page.next, .limit = 2}).value();
  ASSERT_EQ(rest.sources.size(), 1U);
  EXPECT_EQ(rest.sources[0].source, "c");
  EXPECT_EQ(rest.next, "");
}

TEST_F(Looks, StatisticsAgreeWithTheLog) {
  const auto found = statistics(sources()).value();
  EXPECT_EQ(found.durable, Position{400});
  EXPECT_EQ(found.events, 400U);
  EXPECT_EQ(found.streams, streams_so_far().size());
  EXPECT_EQ(found.indexed, Position{400}) << "in memory all of it is";
  EXPECT_EQ(found.last_committed, all_.stored.back().committed);
  EXPECT_EQ(found.store_id.size(), 36U);
  EXPECT_EQ(found.epoch_id.size(), 36U);
}

}  // namespace
}  // namespace esdb::storage
