#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/fixtures/scratch_directory.h"
#include "tests/tools/flaky_store.h"
#include "tests/tools/run_esctl.h"

namespace esdb::tools {
namespace {

using testing::lines_of;
using testing::RunEsctl;

class EsctlLooking : public ::testing::Test {
 protected:
  EsctlLooking() {
    for (int i = 0; i < 1500; ++i) {
      esctl.store
          ->append({.events = {{.stream = "order-" + std::to_string(10'000 + i),
                                .type = i % 3 == 0 ? "A" : "B",
                                .tags = {{"n", std::to_string(i % 5)}}}},
                    .tracking = {{.source = "src-" + std::to_string(i % 2),
                                  .position = static_cast<std::uint64_t>(i + 1)}}})
          .value();
    }
  }
  RunEsctl esctl;
};

TEST_F(EsctlLooking, ListsStreamsPageByPage) {
  EXPECT_EQ(lines_of(esctl({"streams"}).out).size(), 1500u);
  EXPECT_EQ(lines_of(esctl({"streams", "--limit", "1200", "--json"}).out).size(), 1200u);
  const auto found = lines_of(esctl({"streams", "--prefix", "order-1000"}).out);
  ASSERT_EQ(found.size(), 10u);
  EXPECT_TRUE(found[0].ends_with("  order-10000")) << found[0];
}

TEST_F(EsctlLooking, TellsAboutAStream) {
  const auto done = esctl({"info", "order-10007", "--json"});
  const auto info = nlohmann::json::parse(done.out);
  EXPECT_EQ(info["stream"], "order-10007");
  EXPECT_EQ(info["version"], 1);
  EXPECT_EQ(info["last_position"], 8);
  EXPECT_NE(esctl({"info", "none"}).out.find("never written"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(esctl({"info", "none", "--json"}).out)["version"], 0);
}

TEST_F(EsctlLooking, ListsTermsWithTheirNumbers) {
  EXPECT_EQ(esctl({"types"}).out, " 500  1498  A\n1000  1500  B\n");
  EXPECT_EQ(esctl({"categories"}).out, "1500  1500  order\n");
  EXPECT_EQ(lines_of(esctl({"tags", "--prefix", "n:"}).out).size(), 5u);
  EXPECT_EQ(esctl({"tags", "--limit", "1", "--json"}).out,
            "{\"tag\":\"n:0\",\"events\":300,\"last\":1496}\n");
}

TEST_F(EsctlLooking, ListsTracking) {
  EXPECT_EQ(esctl({"tracking"}).out, "1499  src-0\n1500  src-1\n");
  EXPECT_EQ(esctl({"tracking", "--prefix", "src-1", "--json"}).out,
            "{\"source\":\"src-1\",\"position\":1500}\n");
}

TEST_F(EsctlLooking, ShowsStatisticsAndPings) {
  const auto stats = nlohmann::json::parse(esctl({"stats", "--json"}).out);
  EXPECT_EQ(stats["events"], 1500);
  EXPECT_EQ(stats["streams"], 1500);
  EXPECT_EQ(stats["durable"], 1500);
  EXPECT_EQ(stats["state"], "ready");
  EXPECT_NE(esctl({"stats"}).out.find("events            1,500"), std::string::npos)
      << esctl({"stats"}).out;
  const auto ping = esctl({"ping"}).out;
  EXPECT_TRUE(ping.starts_with("memory:test answered in ")) << ping;
  EXPECT_NE(ping.find("; state: ready; store "), ping.npos) << ping;
}

TEST_F(EsctlLooking, SaysWhatIsNotKnownWhileTheIndexIsRebuilt) {
  const auto flaky = std::make_shared<testing::FlakyStore>(
      esctl.store, std::map<std::size_t, testing::FlakyStore::Fault>{});
  flaky->change_statistics = [](Statistics& statistics) {
    statistics.damaged_segments = 2;
    statistics.state = "rebuilding: 42 %";
    statistics.events = statistics.streams = 0;
  };
  esctl.store = flaky;
  const auto stats = nlohmann::json::parse(esctl({"stats", "--json"}).out);
  EXPECT_EQ(stats["state"], "rebuilding: 42 %");
  EXPECT_TRUE(stats["events"].is_null());
  EXPECT_TRUE(stats["streams"].is_null());
  EXPECT_EQ(stats["durable"], 1500);
  EXPECT_EQ(stats["damaged_segments"], 2);
  const auto shown = esctl({"stats"}).out;
  EXPECT_NE(shown.find("state             the index is being rebuilt: 42 %"), shown.npos) << shown;
  EXPECT_NE(shown.find("events            not known before the index is whole"), shown.npos);
}

TEST_F(EsctlLooking, ADirectoryOpenedForReadingIsNoTroubleOfTheStore) {
  const fixtures::ScratchDirectory directory;
  const auto path = directory.path("data");
  ASSERT_TRUE(open(path).value()->append("s", {.type = "T"}));
  esctl.store = open(path, {.access = Access::kReadOnly}).value();
  const auto stats = esctl({"stats"}).out;
  EXPECT_TRUE(stats.starts_with("state             opened for reading\n")) << stats;
  EXPECT_NE(esctl({"ping"}).out.find("state: opened for reading;"), std::string::npos);
}

}  // namespace
}  // namespace esdb::tools
