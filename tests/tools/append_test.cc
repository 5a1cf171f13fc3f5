#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/fixtures/scratch_directory.h"
#include "tests/tools/flaky_store.h"
#include "tests/tools/run_esctl.h"

namespace esdb::tools {
namespace {

using testing::RunEsctl;

nlohmann::json event_at(RunEsctl& esctl, const std::string& which) {
  const auto got = esctl({"get", which, "--json"});
  EXPECT_EQ(got.code, 0) << got.err;
  return nlohmann::json::parse(got.out);
}

TEST(EsctlAppend, WritesEverythingAnEventHas) {
  RunEsctl esctl;
  const auto done =
      esctl({"append", "order-1", "--type", "Placed", "--data", R"({"n": 1.50})", "--metadata",
             "[]", "--tag", "b", "--tag", "a:1", "--id", "018f2c5e-0000-7000-8000-000000000001",
             "--time", "2018-07-13T12:29:24Z", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto line = nlohmann::json::parse(done.out);
  EXPECT_EQ(line["position"], 1);
  EXPECT_EQ(line["version"], 1);
  EXPECT_EQ(line["repeated"], false);
  const auto event = event_at(esctl, "order-1@1");
  EXPECT_EQ(event["type"], "Placed");
  EXPECT_EQ(event["id"], "018f2c5e-0000-7000-8000-000000000001");
  EXPECT_EQ(event["time"], "2018-07-13T12:29:24Z");
  EXPECT_EQ(event["tags"], nlohmann::json({"a:1", "b"}));
  EXPECT_EQ(event["metadata"], nlohmann::json::array());
  EXPECT_EQ(esctl({"get", "1", "--data-only"}).out, R"({"n": 1.50})");
}

TEST(EsctlAppend, TakesDataFromAFileOrStandardInput) {
  RunEsctl esctl;
  const fixtures::ScratchDirectory directory;
  const auto file = directory.write("data.json", "{\"from\":\"file\"}\n");
  ASSERT_EQ(esctl({"append", "s", "--type", "T", "--data", "@" + file}).code, 0);
  ASSERT_EQ(esctl({"append", "s", "--type", "T", "--data", "-"}, " 7 \n").code, 0);
  ASSERT_EQ(
      esctl({"append", "s", "--type", "T", "--data", "-", "--content-type", "text/plain"}, "a\nb\n")
          .code,
      0);
  EXPECT_EQ(esctl({"get", "s@1", "--data-only"}).out, "{\"from\":\"file\"}");
  EXPECT_EQ(esctl({"get", "s@2", "--data-only"}).out, "7");
  EXPECT_EQ(esctl({"get", "s@3", "--data-only"}).out, "a\nb\n");
  EXPECT_EQ(event_at(esctl, "s@3")["content_type"], "text/plain");
}

TEST(EsctlAppend, RefusesWhatCannotBeMeant) {
  RunEsctl esctl;
  const std::vector<std::vector<std::string>> cases{
      {},
      {"--type", "T", "--data", "{"},
      {"--type", "T", "--data", "text"},
      {"--type", "T", "--metadata", "text"},
      {"--type", "T", "--id", "x"},
      {"--type", "T", "--time", "noon"},
      {"--type", "T", "--expect", "some"},
      {"--type", "T", "--expect", "-1"},
      {"--type", "T", "--check", "order-1"},
      {"--type", "T", "--check", "order-1=any more"},
      {"--type", "T", "--absent", "no such word:x"},
      {"--type", "T", "--unchanged", "type:T"},
      {"--type", "T", "--unchanged", "type:T@now"},
      {"--type", "T", "--data", "-", "--metadata", "-"},
      {"--type", "T", "--no-such-option"}};
  for (const auto& words : cases) {
    std::vector<std::string> line{"append", "order-1"};
    line.insert(line.end(), words.begin(), words.end());
    const auto done = esctl(line);
    EXPECT_EQ(done.code, 2) << ::testing::PrintToString(line);
    EXPECT_NE(done.err, "") << ::testing::PrintToString(line);
  }
  EXPECT_TRUE(esctl.opened.empty());
}

TEST(EsctlAppend, WhatIsMalformedIsCalledByItsOption) {
  RunEsctl esctl;
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"$s", "--type", "T"}, "STREAM: \"$s\" begins with '$'; such names belong to the store"},
      {{"s", "--type", "a\x01"}, "--type: \"a\\x01\" holds a control character"},
      {{"s", "--type", "T", "--tag", "\xff"}, "--tag: \"\\xff\" is not UTF-8"},
      {{"s", "--type", "T", "--content-type", "a\x01"},
       "--content-type: \"a\\x01\" holds a control character"},
      {{"$s", "--type", "T", "--expect", "none"},
       "STREAM: \"$s\" begins with '$'; such names belong to the store"},
      {{"s", "--type", "T", "--check", "$s=none"},
       "--check $s=none: stream: \"$s\" begins with '$'; such names belong to the store"},
      {{"s", "--type", "T", "--absent", "stream:$s"},
       "--absent stream:$s: \"stream:$s\" names a stream of the system, and checks do not see "
       "those"}};
  for (const auto& [words, said] : cases) {
    std::vector<std::string> line{"append"};
    line.insert(line.end(), words.begin(), words.end());
    const auto done = esctl(line);
    EXPECT_EQ(done.code, 2) << said;
    EXPECT_EQ(done.err, "esctl: " + said + "; see 'esctl append --help'\n");
  }
  EXPECT_TRUE(esctl.opened.empty());
}

TEST(EsctlAppend, ACheckBeyondTheLogIsCalledAsItWasSaid) {
  RunEsctl esctl;
  esctl.store = open("memory:").value();
  const auto done = esctl(
      {"append", "s", "--type", "T", "--check", "a=none", "--unchanged", "type:T@9", "--json"});
  EXPECT_EQ(done.code, 1);
  EXPECT_TRUE(nlohmann::json::parse(done.err)["message"].get<std::string>().starts_with(
      "--unchanged type:T@9: position 9 lies beyond the end of the log"))
      << done.err;
}

TEST(EsctlAppend, WhatIsTooLongIsAUsageErrorAsWhatIsMalformed) {
  RunEsctl esctl;
  const std::string big(1000, 'x');
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"append", big, "--type", "T"},
        {"append", "s", "--type", big},
        {"append", "s", "--type", "T", "--tag", big},
        {"append", "s", "--type", "T", "--check", big + "=none"},
        {"read", big},
        {"count", "--type", big},
        {"count", "--tag", big},
        {"info", big}}) {
    const auto done = esctl(words);
    EXPECT_EQ(done.code, 2) << words[0] << done.err;
    EXPECT_NE(done.err.find("bytes"), std::string::npos) << done.err;
  }
}

TEST(EsctlAppend, FilesThatCannotBeReadAreErrors) {
  RunEsctl esctl;
  const auto done = esctl({"append", "s", "--type", "T", "--data", "@/no/such/file"});
  EXPECT_EQ(done.code, 1);
  EXPECT_EQ(done.err, "esctl: cannot read /no/such/file: No such file or directory\n");
  const auto directory = esctl({"append", "s", "--type", "T", "--data", "@/tmp"});
  EXPECT_EQ(directory.code, 1);
  EXPECT_EQ(directory.err, "esctl: cannot read /tmp: Is a directory\n");
  EXPECT_EQ(esctl({"import", "/tmp", "--source", "x"}).code, 1);
}

TEST(EsctlAppend, EveryCheckIsJudgedAndEveryViolationTold) {
  RunEsctl esctl;
  ASSERT_EQ(esctl({"append", "a", "--type", "T", "--tag", "email:x", "--expect", "none"}).code, 0);
  EXPECT_EQ(esctl({"append", "a", "--type", "T", "--expect", "none"}).code, 3);
  EXPECT_EQ(esctl({"append", "a", "--type", "T", "--expect", "2"}).code, 3);
  EXPECT_EQ(esctl({"append", "b", "--type", "T", "--expect", "exists"}).code, 3);
  EXPECT_EQ(esctl({"append", "b", "--type", "T", "--check", "a=none"}).code, 3);
  EXPECT_EQ(esctl({"append", "b", "--type", "T", "--absent", "tag:email:x"}).code, 3);
  EXPECT_EQ(esctl({"append", "b", "--type", "T", "--unchanged", "type:T@0"}).code, 3);
  EXPECT_EQ(esctl({"append", "a", "--type", "T", "--expect", "1", "--check", "b=none", "--absent",
                   "tag:email:y", "--unchanged", "type:T@1"})
                .code,
            0);
  const auto both = esctl(
      {"append", "b", "--type", "T", "--check", "a=1", "--check", "a=exists", "--expect", "7"});
  EXPECT_EQ(both.code, 3);
  EXPECT_EQ(testing::lines_of(both.err).size(), 3u) << both.err;
  EXPECT_EQ(testing::lines_of(both.err).at(0), "esctl: not appended");
  const auto json =
      esctl({"append", "b", "--type", "T", "--check", "a=1", "--expect", "7", "--json"});
  EXPECT_EQ(json.code, 3);
  const auto error = nlohmann::json::parse(json.err);
  EXPECT_EQ(error["error"], "conflict");
  EXPECT_EQ(error["violations"].size(), 2u) << json.err;
}

TEST(EsctlAppend, TheSameIdAgainIsTheSameEvent) {
  RunEsctl esctl;
  const std::vector<std::string> line{
      "append", "s", "--type", "T", "--data", "1", "--id", "018f2c5e-0000-7000-8000-000000000001"};
  ASSERT_EQ(esctl(line).code, 0);
  const auto again = esctl(line);
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.out.find("it was there already"), again.out.npos) << again.out;
  auto other = line;
  other[5] = "2";
  EXPECT_EQ(esctl(other).code, 3);
  EXPECT_EQ(esctl({"count"}).out, "1\n");
}

TEST(EsctlAppend, AnUnknownOutcomeGivesTheIdToRepeatItWith) {
  RunEsctl esctl;
  const auto store = esctl.store;
  const std::map<std::size_t, testing::FlakyStore::Fault> lost{
      {0, {ErrorCode::kOutcomeUnknown, true}}};
  esctl.store = std::make_shared<testing::FlakyStore>(store, lost);
  const std::vector<std::string> line{"append", "s", "--type", "T", "--data", "1", "--json"};
  const auto done = esctl(line);
  EXPECT_EQ(done.code, 5);
  const auto error = nlohmann::json::parse(done.err);
  EXPECT_EQ(error["error"], "outcome_unknown");
  ASSERT_TRUE(error.contains("id")) << done.err;
  esctl.store = store;
  auto again = line;
  again.insert(again.end(), {"--id", error["id"].get<std::string>()});
  EXPECT_EQ(nlohmann::json::parse(esctl(again).out)["repeated"], true);
  EXPECT_EQ(esctl({"count"}).out, "1\n");
}

}  // namespace
}  // namespace esdb::tools
