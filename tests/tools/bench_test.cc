#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/fixtures/scratch_directory.h"
#include "tests/tools/run_esctl.h"
#include "tools/bench_output.h"

namespace esdb::tools {
namespace {

using nlohmann::json;
using testing::lines_of;
using testing::RunEsctl;

const std::vector<std::string> kNames = {"append",  "in-flight", "bulk",    "read",
                                         "streams", "tags",      "delivery"};

// Opens the stores that are named, and not the one of all other tests.
class EsctlBench : public ::testing::Test {
 protected:
  EsctlBench() {
    esctl.environment.clear();
    esctl.opener = [](std::string_view url,
                      const OpenOptions& options) -> Result<std::shared_ptr<EventStore>> {
      auto store = open(url, options);
      if (!store) return std::unexpected(store.error());
      return std::shared_ptr<EventStore>(*std::move(store));
    };
  }

  // What a run of a second told.
  json bench(std::vector<std::string> words) {
    words.insert(words.begin(), {"bench", "--seconds", "1", "--json"});
    const auto done = esctl(words);
    EXPECT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(lines_of(done.out).size(), 1u) << done.out;
    return json::parse(done.out, nullptr, false);
  }

  // A store of one event in `data`.
  void write_an_event() const {
    const auto store = open(data).value();
    store->append("order-1", {.type = "Placed"}).value();
  }
  bool is_scratch_gone() const { return std::filesystem::is_empty(directory.path()); }

  fixtures::ScratchDirectory directory{};
  std::string data = directory.path("data");
  RunEsctl esctl{};
};

void expect_sound(const json& row) {
  EXPECT_GT(row["figure"].get<double>(), 0) << row;
  EXPECT_FALSE(row["unit"].get<std::string>().empty()) << row;
  if (row.contains("p50_us")) {
    EXPECT_GT(row["p50_us"].get<double>(), 0) << row;
    EXPECT_LE(row["p50_us"].get<double>(), row["p99_us"].get<double>()) << row;
    EXPECT_LE(row["p99_us"].get<double>(), row["p999_us"].get<double>()) << row;
  }
  EXPECT_EQ(row.contains("limit"), row.contains("ratio")) << row;
  if (row.contains("limit")) {
    EXPECT_NEAR(
        row["ratio"].get<double>() * row["limit"].get<double>() / row["figure"].get<double>(), 1,
        1e-6)
        << row;
  }
}

std::vector<std::string> names_of(const json& told) {
  std::vector<std::string> names;
  for (const auto& row : told["rows"]) names.push_back(row["name"]);
  return names;
}

TEST_F(EsctlBench, MeasuresEveryRowInAScratchStoreThatIsRemoved) {
  const auto told = bench({"--directory", directory.path()});
  std::vector<std::string> expected = {"durable_write", "echo"};
  expected.insert(expected.end(), kNames.begin(), kNames.end());
  EXPECT_EQ(names_of(told), expected);
  for (const auto& row : told["rows"]) expect_sound(row);
  const std::set<std::string> bounded = {"append", "in-flight", "bulk", "read", "delivery"};
  for (const auto& row : told["rows"])
    EXPECT_EQ(row.contains("limit"), bounded.contains(row["name"].get<std::string>())) << row;
  EXPECT_EQ(told["kind"], "scratch");
  EXPECT_EQ(told["durable"], true);
  EXPECT_EQ(told["data_bytes"], 256);
  EXPECT_GT(told["events_written"].get<std::uint64_t>(), 0u);
  EXPECT_TRUE(is_scratch_gone());
}

TEST_F(EsctlBench, ADirectoryWithoutAStoreIsLeftAsItWas) {
  const auto told = bench({"--store", data, "--only", "append"});
  EXPECT_EQ(told["kind"], "scratch");
  EXPECT_TRUE(told["store"].get<std::string>().starts_with(directory.path())) << told["store"];
  EXPECT_TRUE(is_scratch_gone()) << "beside a directory that is not there";
  std::filesystem::create_directory(data);
  EXPECT_TRUE(bench({"--store", data, "--only", "append"})["store"].get<std::string>().starts_with(
      data + "/"));
  EXPECT_TRUE(std::filesystem::is_empty(data));
}

TEST_F(EsctlBench, WithoutAStoreItTakesNoServerThatNobodyNamed) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path());
  const auto told = bench({"--only", "append"});
  std::filesystem::current_path(before);
  EXPECT_TRUE(told["store"].get<std::string>().starts_with(directory.path())) << told["store"];
  EXPECT_TRUE(is_scratch_gone());
}

TEST_F(EsctlBench, AStoreThatHoldsEventsIsWrittenToOnlyWithYes) {
  write_an_event();
  const auto refused = esctl({"bench", "--seconds", "1", "--store", data});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("--yes"), std::string::npos) << refused.err;
  EXPECT_EQ(refused.out, "");
  EXPECT_EQ(open(data).value()->count(everything()).value(), 1u);

  const auto told = bench({"--store", data, "--yes", "--only", "append,bulk,tags"});
  EXPECT_EQ(told["kind"], "directory");
  EXPECT_EQ(names_of(told),
            (std::vector<std::string>{"durable_write", "echo", "append", "bulk", "tags"}));
  for (const auto& row : told["rows"]) expect_sound(row);
  for (const auto& left : std::filesystem::directory_iterator(data))
    EXPECT_EQ(left.path().string().find("esctl-bench"), std::string::npos) << left.path();
}

TEST_F(EsctlBench, WhatItWroteIsToldAndRecognised) {
  write_an_event();
  const auto told = bench({"--store", data, "--yes"});
  const auto prefix = told["stream_prefix"].get<std::string>();
  EXPECT_TRUE(prefix.starts_with("esctl-bench-")) << prefix;
  const auto store = open(data).value();
  const auto written = told["events_written"].get<std::uint64_t>();
  EXPECT_EQ(store->count(everything()).value(), written + 1);
  EXPECT_EQ(store->count(types({"EsctlBenchWritten"})).value(), written);
  std::uint64_t in_streams = 0;
  std::string after;
  do {
    const auto page = store->streams(prefix, after).value();
    for (const auto& each : page.streams) in_streams += each.version.value;
    after = page.next;
  } while (!after.empty());
  EXPECT_EQ(in_streams, written);
  for (const auto event : *store->read(everything(), {.start = Start::after(1)}).next())
    for (const auto tag : event.tags()) EXPECT_TRUE(tag.starts_with(prefix)) << tag;
}

TEST_F(EsctlBench, TwoRunsDoNotShareStreams) {
  const auto first = bench({"--store", "memory:", "--only", "append"});
  const auto second = bench({"--store", "memory:", "--only", "append"});
  EXPECT_NE(first["stream_prefix"], second["stream_prefix"]);
}

TEST_F(EsctlBench, AStoreWithoutADiskHasNoLimitsOfOne) {
  const auto told = bench({"--store", "memory:"});
  EXPECT_EQ(names_of(told), kNames);
  EXPECT_EQ(told["durable"], false);
  for (const auto& row : told["rows"]) {
    expect_sound(row);
    EXPECT_EQ(row.contains("limit"), row["name"] == "delivery") << row;
  }
}

TEST_F(EsctlBench, DataIsAsLongAsAsked) {
  write_an_event();
  bench({"--store", data, "--yes", "--data", "65536", "--only", "bulk,read"});
  const auto store = open(data).value();
  std::set<std::size_t> sizes;
  for (const auto event : *store->read(types({"EsctlBenchWritten"}), {.limit = 10}).next())
    sizes.insert(event.data().size());
  EXPECT_EQ(sizes, std::set<std::size_t>{65'536});
}

TEST_F(EsctlBench, PeopleGetATableAndItsConditions) {
  const auto done = esctl({"bench", "--seconds", "1", "--directory", directory.path(), "--only",
                           "append,read,delivery"});
  ASSERT_EQ(done.code, 0) << done.err;
  for (const auto* told :
       {"machine: durable write, 4 KiB", "one append at a time", "read everything",
        "append to delivery", "256 bytes an event", "p99.9", "ratio", "durable", "esctl-bench-"})
    EXPECT_NE(done.out.find(told), std::string::npos) << told << " in\n" << done.out;
  EXPECT_EQ(done.out.find("256 appends in flight"), std::string::npos) << done.out;
  EXPECT_EQ(done.out.find('\x1b'), std::string::npos) << "colours without a terminal";
  EXPECT_EQ(done.err.find('\r'), std::string::npos) << "progress without a terminal";
  EXPECT_NE(done.err.find("removed at the end"), std::string::npos) << done.err;
}

TEST_F(EsctlBench, ProgressIsShownOnATerminal) {
  esctl.terminal = {.err = true, .columns = 200};
  const auto done =
      esctl({"bench", "--seconds", "1", "--directory", directory.path(), "--only", "append"});
  EXPECT_NE(done.err.find("one append at a time"), std::string::npos) << done.err;
  EXPECT_TRUE(done.err.ends_with("\r\x1b[K")) << "the line is still there";
}

TEST_F(EsctlBench, SaysBeforeWhereItWrites) {
  const auto done = esctl({"bench", "--seconds", "1", "--store", "memory:", "--only", "append"});
  EXPECT_TRUE(done.err.starts_with("writes events to streams esctl-bench-")) << done.err;
  EXPECT_NE(done.err.find("where they stay"), std::string::npos) << done.err;
}

TEST_F(EsctlBench, WhatIsWrongIsToldAndNothingIsLeft) {
  struct Wrong {
    std::vector<std::string> words;
    const char* told;
  };
  for (const auto& [words, told] :
       {Wrong{{"--seconds", "0"}, "--seconds: 0 is not from 1 to 3600"},
        {{"--seconds", "3601"}, "--seconds: 3601 is not from 1 to 3600"},
        {{"--seconds", "ten"}, "\"ten\" is not a whole number"},
        {{"--data", "15"}, "--data: 15 is not from 16 to 65536"},
        {{"--data", "65537"}, "--data: 65537 is not from 16 to 65536"},
        {{"--only", "append,fly"}, "there is no \"fly\"; there are append, in-flight, bulk"},
        {{"--only", "append,"}, "there is no \"\""},
        {{"--store", data}, "give one of the two"},
        {{"--fast"}, "there is no option \"--fast\""}}) {
    auto all = words;
    all.insert(all.begin(), {"bench", "--directory", directory.path()});
    const auto done = esctl(all);
    EXPECT_EQ(done.code, 2) << done.err;
    EXPECT_NE(done.err.find(told), std::string::npos) << told << " in " << done.err;
    EXPECT_EQ(done.out, "");
  }
  EXPECT_TRUE(is_scratch_gone());
}

TEST_F(EsctlBench, AStoreThatCannotBeUsedIsTold) {
  write_an_event();
  {
    const auto owner = open(data).value();
    const auto locked = esctl({"bench", "--seconds", "1", "--store", data, "--yes"});
    EXPECT_EQ(locked.code, 1) << locked.err;
    EXPECT_NE(locked.err.find(data), std::string::npos) << locked.err;
  }
  const auto away =
      esctl({"bench", "--seconds", "1", "--store", "unix:" + directory.path("socket")});
  EXPECT_EQ(away.code, 4) << away.err;
  const auto nowhere = esctl({"bench", "--directory", directory.path("not/there")});
  EXPECT_EQ(nowhere.code, 1) << nowhere.err;
  EXPECT_NE(nowhere.err.find("it is no directory"), std::string::npos) << nowhere.err;
}

TEST_F(EsctlBench, StoppedItSaysSoAndRemovesTheScratchStore) {
  const auto begin = std::chrono::steady_clock::now();
  std::jthread user([this] {
    // Until it works there.
    for (int i = 0; i < 1000 && is_scratch_gone(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    esctl.stop.request_stop();
  });
  const auto done = esctl({"bench", "--seconds", "3600", "--directory", directory.path()});
  EXPECT_EQ(done.code, 1) << done.err;
  EXPECT_NE(done.err.find("interrupted; the scratch store is removed"), std::string::npos)
      << done.err;
  EXPECT_EQ(done.out, "");
  EXPECT_TRUE(is_scratch_gone());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(5));
}

TEST(BenchOutput, NumbersHaveThreeDigitsAndTheUnitThatFits) {
  EXPECT_EQ(human_number(1'234'567), "1.23 M");
  EXPECT_EQ(human_number(45'600), "45.6 k");
  EXPECT_EQ(human_number(812), "812");
  EXPECT_EQ(human_number(2.5e9), "2.50 G");
  EXPECT_EQ(human_time(0.5), "0.50 us");
  EXPECT_EQ(human_time(84.24), "84.2 us");
  EXPECT_EQ(human_time(1'020), "1.02 ms");
  EXPECT_EQ(human_time(2.5e6), "2.50 s");
}

}  // namespace
}  // namespace esdb::tools
