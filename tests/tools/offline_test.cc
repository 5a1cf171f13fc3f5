#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/fixtures/scratch_directory.h"
#include "tests/tools/run_esctl.h"

namespace esdb::tools {
namespace {

using testing::lines_of;
using testing::RunEsctl;

// A closed store of a hundred appends in a directory.
class EsctlOffline : public ::testing::Test {
 protected:
  EsctlOffline() {
    auto store = open(data).value();
    for (int i = 0; i < 100; ++i)
      store
          ->append({.events = {{.stream = "s", .type = "T", .data = std::to_string(i)}},
                    .tracking = {{"source", static_cast<std::uint64_t>(i + 1)}}})
          .value();
    store->close();
  }

  // Turns bits over in the middle of what is written.
  void damage() {
    const auto line = nlohmann::json::parse(lines_of(esctl({"inspect", data, "--json"}).out)[0]);
    std::fstream file(line["file"].get<std::string>(),
                      std::ios::binary | std::ios::in | std::ios::out);
    const auto frame = nlohmann::json::parse(
        lines_of(esctl({"inspect", data, "--segment", "1", "--json"}).out).at(50));
    const auto at = frame["records"][0]["offset"].get<std::streamoff>() + 100;
    file.seekg(at);
    const auto byte = static_cast<char>(~file.get());
    file.seekp(at);
    file.put(byte);
  }

  fixtures::ScratchDirectory directory{};
  std::string data = directory.path("data");
  RunEsctl esctl{};
};

TEST_F(EsctlOffline, ASoundStoreIsSaidToBeSound) {
  const auto done = esctl({"verify", data});
  EXPECT_EQ(done.code, 0) << done.out << done.err;
  EXPECT_TRUE(done.out.ends_with("sound\n")) << done.out;
  const auto report = nlohmann::json::parse(esctl({"verify", data, "--json"}).out);
  EXPECT_EQ(report["sound"], true);
  EXPECT_EQ(report["events"], 100);
  EXPECT_EQ(report["last"], 100);
  EXPECT_EQ(report["closed_cleanly"], true);
}

TEST_F(EsctlOffline, DamageIsToldWithItsPlace) {
  damage();
  const auto done = esctl({"verify", data});
  EXPECT_EQ(done.code, 65) << done.out << done.err;
  EXPECT_TRUE(done.out.starts_with("damaged: ")) << done.out;
  const auto json = lines_of(esctl({"verify", data, "--json"}).out);
  EXPECT_EQ(nlohmann::json::parse(json.front())["damage"]["acknowledged"], true);
  EXPECT_EQ(nlohmann::json::parse(json.back())["sound"], false);
}

TEST_F(EsctlOffline, InspectShowsSegmentsFramesAndRecords) {
  const auto segments = lines_of(esctl({"inspect", data, "--json"}).out);
  ASSERT_FALSE(segments.empty());
  EXPECT_EQ(nlohmann::json::parse(segments[0])["events"], 100);
  std::size_t events = 0, tracking = 0;
  for (const auto& line : lines_of(esctl({"inspect", data, "--segment", "1", "--json"}).out)) {
    const auto frame = nlohmann::json::parse(line);
    for (const auto& record : frame["records"]) ++(record.contains("source") ? tracking : events);
  }
  EXPECT_EQ(events, 100u);
  EXPECT_EQ(tracking, 100u);
  const auto people = esctl({"inspect", data, "--segment", "1"});
  EXPECT_NE(people.out.find("event 100 version 100"), std::string::npos) << people.out;
  EXPECT_NE(people.out.find("tracking source at 100"), std::string::npos) << people.out;
}

TEST_F(EsctlOffline, InspectShowsWhatIsDamagedToo) {
  damage();
  const auto people = esctl({"inspect", data, "--segment", "1"});
  EXPECT_EQ(people.code, 0) << people.err;
  EXPECT_NE(people.out.find("damaged: "), std::string::npos) << people.out;
  EXPECT_NE(people.out.find("event 100 version 100"), std::string::npos) << people.out;
}

TEST_F(EsctlOffline, WhereTheEndOfTheLogIsLostNoLastPositionIsNamed) {
  const auto line = nlohmann::json::parse(lines_of(esctl({"inspect", data, "--json"}).out)[0]);
  const auto frame = nlohmann::json::parse(
      lines_of(esctl({"inspect", data, "--segment", "1", "--json"}).out).at(50));
  std::fstream file(line["file"].get<std::string>(),
                    std::ios::binary | std::ios::in | std::ios::out);
  const auto from = frame["offset"].get<std::int64_t>();
  file.seekp(from);
  file << std::string(static_cast<std::size_t>(line["frames_end"].get<std::int64_t>() - from), 0);
  file.close();
  const auto first = frame["first"].dump();
  const auto done = esctl({"verify", data});
  EXPECT_EQ(done.code, 65) << done.out << done.err;
  EXPECT_NE(done.out.find("positions from " + first + " on cannot be trusted"), std::string::npos)
      << done.out;
  const auto damage =
      nlohmann::json::parse(lines_of(esctl({"verify", data, "--json"}).out).front())["damage"];
  EXPECT_EQ(damage["first"].dump(), first);
  EXPECT_FALSE(damage.contains("last"));
}

TEST_F(EsctlOffline, ALogWithoutAnySegmentIsNoStoreOrOneThatLostIt) {
  const auto made = directory.path("made");
  std::filesystem::create_directories(made + "/log");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"read", "--all", "--store", made},
        {"verify", made},
        {"inspect", made}}) {
    const auto done = esctl(words);
    EXPECT_EQ(done.code, 4) << words[0];
    EXPECT_EQ(done.err, "esctl: there is no store at " + made + "\n");
  }
  std::filesystem::create_directories(made + "/index");
  for (const auto* command : {"verify", "inspect"}) {
    const auto done = esctl({command, made});
    EXPECT_EQ(done.code, 65) << command << done.err;
    EXPECT_NE(done.err.find("it has an index but no log"), std::string::npos) << done.err;
  }
  std::filesystem::remove_all(made + "/log");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"read", "--all", "--store", made},
        {"verify", made},
        {"inspect", made}})
    EXPECT_EQ(esctl(words).code, 65) << words[0];
}

TEST_F(EsctlOffline, RebuildIndexMakesTheIndexAnew) {
  std::filesystem::remove_all(data + "/index");
  const auto done = esctl({"rebuild-index", data});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_TRUE(done.out.starts_with("built the index of 100 events in ")) << done.out;
  EXPECT_TRUE(std::filesystem::exists(data + "/index/data.mdb"));
  const auto line = nlohmann::json::parse(esctl({"rebuild-index", data, "--json"}).out);
  EXPECT_EQ(line["events"], 100);
  EXPECT_GT(line["events_per_second"], 0);
  EXPECT_GT(line["index_bytes"], 0);
}

TEST_F(EsctlOffline, RebuildIndexOfAStoreThatIsOpenIsLocked) {
  const auto store = open(data).value();
  const auto done = esctl({"rebuild-index", data});
  EXPECT_EQ(done.code, 1) << done.err;
  EXPECT_NE(done.err.find("is in use by process"), std::string::npos) << done.err;
}

TEST_F(EsctlOffline, RebuildIndexOfADamagedStoreTellsTheDamage) {
  damage();
  const auto done = esctl({"rebuild-index", data});
  EXPECT_EQ(done.code, 65) << done.err;
  EXPECT_NE(done.err.find("00000001.seg"), std::string::npos) << done.err;
}

// A frame in the middle of the open segment is damaged: the store is refused.
TEST_F(EsctlOffline, RepairShowsWhatWouldBeLostAndChangesNothing) {
  EXPECT_EQ(esctl({"repair", data}).out, "nothing is to be repaired: the store opens\n");
  damage();
  const auto done = esctl({"repair", data});
  EXPECT_EQ(done.code, 65) << done.err;
  EXPECT_NE(done.out.find("acknowledged data is damaged"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("lost: positions from 50 on"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("kept: positions 1 to 49"), std::string::npos) << done.out;
  EXPECT_NE(done.out.find("of the stream s\n"), std::string::npos) << done.out;
  const auto json = lines_of(esctl({"repair", data, "--json"}).out);
  ASSERT_EQ(json.size(), 2U);
  EXPECT_EQ(nlohmann::json::parse(json[0])["item"]["first"], 50);
  EXPECT_EQ(nlohmann::json::parse(json[0])["item"]["readable"], 50);
  EXPECT_EQ(nlohmann::json::parse(json[1])["repaired"], false);
  EXPECT_FALSE(open(data).has_value());
}

TEST_F(EsctlOffline, RepairAsksBeforeItDoesAnything) {
  damage();
  EXPECT_EQ(esctl({"repair", data, "--yes"}).code, 2) << "without --accept-loss";
  EXPECT_EQ(esctl({"repair", data, "--accept-loss"}).code, 2) << "nobody can be asked";
  esctl.terminal.in = true;
  EXPECT_EQ(esctl({"repair", data, "--accept-loss"}, "no\n").code, 1);
  EXPECT_EQ(esctl({"repair", data, "--accept-loss"}, "").code, 1);
  EXPECT_FALSE(open(data).has_value()) << "it was repaired";
  const auto id = nlohmann::json::parse(lines_of(esctl({"verify", data, "--json"}).out).back());
  const auto done = esctl({"repair", data, "--accept-loss"}, id["store_id"].get<std::string>());
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_NE(done.out.find("repaired; what was cut or replaced is in " + data + "/damaged-"),
            std::string::npos)
      << done.out;
  EXPECT_EQ(open(data).value()->statistics()->durable.value, 49U);
}

TEST_F(EsctlOffline, RepairFromAScriptNeedsNoAnswer) {
  damage();
  const auto done = esctl({"repair", data, "--accept-loss", "--yes", "--json"});
  EXPECT_EQ(done.code, 0) << done.err;
  const auto line = nlohmann::json::parse(lines_of(done.out).back());
  EXPECT_EQ(line["repaired"], true);
  EXPECT_EQ(line["last"], 49);
  EXPECT_TRUE(std::filesystem::exists(line["aside"].get<std::string>() + "/README.txt"));
  EXPECT_EQ(esctl({"verify", data}).code, 0);
}

TEST_F(EsctlOffline, ADirectoryWithoutAStoreIsNoStore) {
  EXPECT_EQ(esctl({"verify", directory.path("none")}).code, 4);
  EXPECT_EQ(esctl({"rebuild-index", directory.path("none")}).code, 4);
  EXPECT_EQ(esctl({"repair", directory.path("none")}).code, 4);
  EXPECT_FALSE(std::filesystem::exists(directory.path("none")));
  EXPECT_EQ(esctl({"inspect", directory.path("none")}).code, 4);
  EXPECT_EQ(esctl({"inspect", data, "--segment", "77"}).code, 1);
}

}  // namespace
}  // namespace esdb::tools
