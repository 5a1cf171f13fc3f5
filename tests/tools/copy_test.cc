#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/tools/flaky_store.h"
#include "tests/tools/run_esctl.h"

namespace esdb::tools {
namespace {

using testing::FlakyStore;
using testing::RunEsctl;

class EsctlCopy : public ::testing::Test {
 protected:
  EsctlCopy() {
    esctl.others["memory:from"] = from;
    esctl.others["memory:to"] = to;
    for (int i = 0; i < 50; ++i) {
      std::vector<NewEvent> events;
      for (int j = 0; j <= i % 3; ++j)
        events.push_back({.stream = (j == 2 ? "b-" : "a-") + std::to_string(i),
                          .type = "T",
                          .data = std::to_string(i)});
      from->append({.events = events}).value();
    }
  }

  static std::string digest(EventStore& store, const Query& query = everything()) {
    std::string found;
    store
        .for_each(query, {},
                  [&](RecordedEvent e) {
                    found += to_string(e.id()) + to_string(e.version());
                    found += e.ends_append() ? "|" : " ";
                  })
        .value();
    return found;
  }

  std::shared_ptr<EventStore> from = fixtures::make_reference_store();
  std::shared_ptr<EventStore> to = fixtures::make_reference_store();
  RunEsctl esctl{};
};

TEST_F(EsctlCopy, KeepsEventsAndTheirAppends) {
  const auto done = esctl({"copy", "memory:from", "memory:to"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(digest(*to), digest(*from));
  from->append("a-new", {.type = "T"}).value();
  ASSERT_EQ(esctl({"copy", "memory:from", "memory:to"}).code, 0);
  EXPECT_EQ(digest(*to), digest(*from));
  EXPECT_EQ(esctl({"copy", "memory:from", "memory:to"}).out, "nothing new\n");
}

TEST_F(EsctlCopy, CopiesASelectionOfEachAppend) {
  const auto done = esctl({"copy", "memory:from", "memory:to", "--category", "a"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(to->count(everything()).value(), from->count(category("a")).value());
  // Two of an append of three are one append there.
  EXPECT_EQ(to->read(stream("a-2")).next()->size(), 2u);
  for (const auto event : *to->read(stream("a-2"), {.start = Start::after_version(1)}).next())
    EXPECT_TRUE(event.ends_append());
  // Another selection is another source.
  ASSERT_EQ(esctl({"copy", "memory:from", "memory:to", "--category", "b"}).code, 0);
  EXPECT_EQ(to->count(everything()).value(), from->count(everything()).value());
  EXPECT_EQ(to->tracking()->sources.size(), 2u);
}

TEST_F(EsctlCopy, GoesOnAfterAFailure) {
  std::map<std::size_t, FlakyStore::Fault> faults;
  for (std::size_t i = 20; i < 1000; ++i) faults[i] = {ErrorCode::kReadOnly};
  esctl.others["memory:flaky"] = std::make_shared<FlakyStore>(to, faults);
  const auto failed = esctl({"copy", "memory:from", "memory:flaky"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_NE(failed.err.find("goes on there"), std::string::npos) << failed.err;
  ASSERT_EQ(esctl({"copy", "memory:from", "memory:to"}).code, 0);
  EXPECT_EQ(digest(*to), digest(*from));
}

TEST_F(EsctlCopy, AStoreThatLostWhatWasCopiedIsSaidToHave) {
  ASSERT_EQ(esctl({"copy", "memory:from", "memory:to", "--source", "from"}).code, 0);
  esctl.others["memory:from"] = fixtures::make_reference_store();
  const auto done = esctl({"copy", "memory:from", "memory:to", "--source", "from"});
  EXPECT_EQ(done.code, 1);
  EXPECT_NE(done.err.find("FROM does not reach so far"), std::string::npos) << done.err;
}

TEST_F(EsctlCopy, TwoStoresMayBeCopiedIntoEachOtherByTurns) {
  ASSERT_EQ(esctl({"copy", "memory:from", "memory:to"}).code, 0);
  to->append("b-there", {.type = "T"}).value();
  const auto back = esctl({"copy", "memory:to", "memory:from"});
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_NE(back.out.find("50 appends were there already"), std::string::npos) << back.out;
  EXPECT_EQ(digest(*to), digest(*from));
  EXPECT_EQ(esctl({"copy", "memory:to", "memory:from"}).out, "nothing new\n");
  from->append("a-here", {.type = "T"}).value();
  ASSERT_EQ(esctl({"copy", "memory:from", "memory:to"}).code, 0);
  EXPECT_EQ(digest(*to), digest(*from));
}

TEST_F(EsctlCopy, FollowsUntilItIsStopped) {
  std::jthread user([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    from->append("a-late", {.type = "T"}).value();
    for (int i = 0; i < 500 && to->count(everything()).value() != from->count(everything()).value();
         ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    esctl.stop.request_stop();
  });
  const auto done = esctl({"copy", "memory:from", "memory:to", "--follow"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(digest(*to), digest(*from));
}

TEST_F(EsctlCopy, RefusesToCopyAStoreIntoItself) {
  EXPECT_EQ(esctl({"copy", "memory:from", "memory:from"}).code, 2);
  EXPECT_EQ(esctl({"copy", "memory:from"}).code, 2);
  const auto too_long =
      esctl({"copy", "memory:from", "memory:to", "--source", std::string(256, 's')});
  EXPECT_EQ(too_long.code, 2) << too_long.err;
  EXPECT_TRUE(too_long.err.starts_with("esctl: --source: ")) << too_long.err;
  esctl.others["memory:again"] = from;
  EXPECT_EQ(esctl({"copy", "memory:from", "memory:again"}).code, 2);
}

}  // namespace
}  // namespace esdb::tools
