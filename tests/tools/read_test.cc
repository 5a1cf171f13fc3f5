#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/tools/run_esctl.h"

namespace esdb::tools {
namespace {

using testing::lines_of;
using testing::RunEsctl;

// Ten events: order-1 and order-2 in turn, types A and B in turn of two, the fifth with a tag.
class EsctlRead : public ::testing::Test {
 protected:
  EsctlRead() {
    for (int i = 1; i <= 10; ++i) {
      NewEvent event{.type = (i - 1) / 2 % 2 == 0 ? "A" : "B", .data = std::to_string(i)};
      if (i == 5) event.tags.emplace_back("vip");
      esctl.store->append(i % 2 == 1 ? "order-1" : "order-2", event).value();
    }
  }

  // The positions shown by a command, in order.
  std::string positions(std::vector<std::string> words) {
    words.emplace_back("--json");
    const auto done = esctl(words);
    EXPECT_EQ(done.code, 0) << done.err;
    std::string found;
    for (const auto& line : lines_of(done.out))
      found += nlohmann::json::parse(line)["position"].dump() + " ";
    return found;
  }

  RunEsctl esctl;
};

TEST_F(EsctlRead, SelectsByStreamCategoryTypeTagAndQuery) {
  EXPECT_EQ(positions({"read", "order-1"}), "1 3 5 7 9 ");
  EXPECT_EQ(positions({"read", "--all"}), "1 2 3 4 5 6 7 8 9 10 ");
  EXPECT_EQ(positions({"read", "--category", "order", "--type", "B"}), "3 4 7 8 ");
  EXPECT_EQ(positions({"read", "--type", "A", "--type", "B", "--tag", "vip"}), "5 ");
  EXPECT_EQ(positions({"read", "order-1", "--type", "A"}), "1 5 9 ");
  EXPECT_EQ(positions({"read", "--query", "stream:order-2 type:B | tag:vip"}), "4 5 8 ");
  EXPECT_EQ(positions({"read", "--tag", "none"}), "");
}

TEST_F(EsctlRead, BeginsAndEndsWhereItIsTold) {
  EXPECT_EQ(positions({"read", "--all", "--after", "8"}), "9 10 ");
  EXPECT_EQ(positions({"read", "order-1", "--after-version", "3"}), "7 9 ");
  EXPECT_EQ(positions({"read", "--all", "--limit", "2"}), "1 2 ");
  EXPECT_EQ(positions({"read", "--all", "--backwards", "--limit", "2"}), "10 9 ");
  EXPECT_EQ(positions({"read", "--all", "--backwards", "--after", "3"}), "2 1 ");
  EXPECT_EQ(positions({"read", "--all", "--last", "3"}), "8 9 10 ");
  EXPECT_EQ(positions({"read", "order-1", "--last", "100"}), "1 3 5 7 9 ");
  EXPECT_EQ(positions({"read", "--all", "--since", "1h"}), "1 2 3 4 5 6 7 8 9 10 ");
  EXPECT_EQ(positions({"read", "--all", "--until", "1h"}), "");
}

TEST_F(EsctlRead, RefusesWhatCannotBeMeant) {
  const std::vector<std::vector<std::string>> cases{
      {"read"},
      {"read", "--all", "order-1"},
      {"read", "--query", "type:A", "order-1"},
      {"read", "--query", "kind:A"},
      {"read", "--all", "--since", "soon"},
      {"read", "--all", "--after", "x"},
      {"read", "--all", "--after", "1", "--after-version", "1"},
      {"read", "--all", "--last", "2", "--limit", "2"},
      {"read", "--all", "--follow", "--backwards"},
      {"read", "--all", "--follow", "--until", "1h"},
      {"subscribe"},
      {"subscribe", "--all", "--from-end", "--after", "3"},
      {"get", "zero"},
      {"get", "0"},
      {"get", "@3"},
      {"get", "s@"},
      {"get", "1", "--data-only", "--json"},
      {"read", "--all", "--timeout", "never"},
      {"read", "--all", "--timeout", "0s"}};
  for (const auto& words : cases)
    EXPECT_EQ(esctl(words).code, 2) << ::testing::PrintToString(words);
}

TEST_F(EsctlRead, APositionBeyondTheLogIsAnErrorThatNamesTheOption) {
  const std::vector<std::vector<std::string>> cases{{"read", "--all", "--after", "11"},
                                                    {"read", "order-1", "--after-version", "6"},
                                                    {"subscribe", "--all", "--after", "11"},
                                                    {"export", "--after", "11"},
                                                    {"count", "--after", "11"}};
  for (const auto& words : cases) {
    const auto done = esctl(words);
    EXPECT_EQ(done.code, 1);
    const auto option = words[words.size() - 2], number = words.back();
    EXPECT_TRUE(done.err.starts_with("esctl: " + option +
                                     (option == "--after" ? ": position " : ": version ") + number))
        << done.err;
  }
}

TEST_F(EsctlRead, WhatIsMalformedIsCalledByItsOption) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"read", "a\x01"}, "STREAM: \"a\\x01\" holds a control character"},
      {{"read", "--category", "order-1"},
       "--category: \"order-1\" holds a '-', and a category is what stands before a stream's "
       "first '-': give \"order\", or \"order-1\" as STREAM"},
      {{"read", "--all", "--after-version", "1"},
       "--after-version: it counts in one stream: give a STREAM, not \"everything\""},
      {{"read", "--type", "\xff"}, "--type: \"\\xff\" is not UTF-8"},
      {{"read", "--tag", "\xff"}, "--tag: \"\\xff\" is not UTF-8"},
      {{"read", "--query", "|"},
       "--query: nothing is asked for at character 1 of \"|\"; a query reads like "
       "\"type:Placed,Paid tag:vip | category:order\", and \"everything\" is all events"}};
  for (const auto& [words, said] : cases) {
    const auto done = esctl(words);
    EXPECT_EQ(done.code, 2) << said;
    EXPECT_EQ(done.err, "esctl: " + said + "; see 'esctl read --help'\n");
  }
}

TEST_F(EsctlRead, ShowsPeopleOneLineAnEvent) {
  const auto done = esctl({"read", "order-1", "--after", "4", "--limit", "1"});
  EXPECT_TRUE(done.out.starts_with("       5  order-1@3  A  20")) << done.out;
  EXPECT_TRUE(done.out.ends_with("Z  #vip 5\n")) << done.out;
  esctl.terminal = {.out = true, .color = true, .columns = 50};
  const auto colored = esctl({"read", "order-1", "--after", "4", "--limit", "1"});
  EXPECT_NE(colored.out.find("\x1b[34morder-1\x1b[0m"), colored.out.npos) << colored.out;
}

TEST_F(EsctlRead, NothingInAnEventReachesTheTerminalAsACommand) {
  esctl.store->append("evil", {.type = "T", .data = "\x1b]0;gone\x07"}).value();
  const auto done = esctl({"read", "evil"});
  EXPECT_EQ(done.out.find('\x1b'), done.out.npos);
  EXPECT_NE(done.out.find("\\x1b]0;gone\\x07"), done.out.npos);
}

TEST_F(EsctlRead, SubscribesUntilCaughtUpOrEnough) {
  EXPECT_EQ(positions({"subscribe", "order-2", "--exit-when-caught-up"}), "2 4 6 8 10 ");
  EXPECT_EQ(positions({"subscribe", "--all", "--after", "7", "--limit", "2"}), "8 9 ");
  EXPECT_EQ(positions({"subscribe", "--all", "--from-end", "--exit-when-caught-up"}), "");
  EXPECT_EQ(positions({"subscribe", "--all", "--limit", "0"}), "");
}

TEST_F(EsctlRead, WhereNothingCanComeFollowingIsAUsageError) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"read", "--all", "--follow", "--store", "./data"},
        {"subscribe", "--all", "--store", "./data"},
        {"copy", "./data", "memory:to", "--follow"}}) {
    const auto done = esctl(words);
    EXPECT_EQ(done.code, 2) << words[0];
    EXPECT_NE(done.err.find("serve it with esdb-server"), std::string::npos) << done.err;
  }
  EXPECT_TRUE(esctl.opened.empty());
}

TEST_F(EsctlRead, FollowsWhatIsWrittenLater) {
  std::jthread writer([store = esctl.store] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    store->append("order-3", {.type = "A", .data = "11"}).value();
    store->append("order-3", {.type = "A", .data = "12"}).value();
  });
  EXPECT_EQ(positions({"subscribe", "--all", "--from-end", "--limit", "2"}), "11 12 ");
}

TEST_F(EsctlRead, AnInterruptedSubscriptionEndsWell) {
  std::jthread user([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    esctl.stop.request_stop();
  });
  const auto done = esctl({"read", "--all", "--last", "1", "--follow"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(lines_of(done.out).size(), 1u);
  EXPECT_EQ(done.err, "");
}

TEST_F(EsctlRead, GetsOneEvent) {
  EXPECT_EQ(esctl({"get", "7", "--data-only"}).out, "7");
  EXPECT_EQ(esctl({"get", "order-2@5", "--data-only"}).out, "10");
  EXPECT_EQ(positions({"get", "order-2@1"}), "2 ");
  for (const auto* which : {"11", "12", "order-2@6", "order-2@7", "order-9@1"}) {
    const auto done = esctl({"get", which});
    EXPECT_EQ(done.code, 1) << which;
    EXPECT_EQ(done.out, "") << which;
    EXPECT_NE(done.err, "") << which;
  }
}

TEST_F(EsctlRead, GettingWhatIsNotThereSaysWhereTheEndIs) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"11", "no event at position 11: the store ends at 10"},
      {"999", "no event at position 999: the store ends at 10"},
      {"order-2@6", "no event order-2@6: the stream ends at version 5"},
      {"order-2@999", "no event order-2@999: the stream ends at version 5"},
      {"order-9@1", "no event order-9@1: the stream was never written"},
      {"order-9@7", "no event order-9@7: the stream was never written"}};
  for (const auto& [which, said] : cases) {
    const auto done = esctl({"get", which});
    EXPECT_EQ(done.code, 1) << which;
    EXPECT_EQ(done.err, "esctl: " + said + "\n");
  }
}

TEST_F(EsctlRead, GetsNothingOfAnEmptyStore) {
  RunEsctl empty;
  EXPECT_EQ(empty({"get", "1"}).err, "esctl: no event at position 1: the store is empty\n");
}

TEST_F(EsctlRead, AStreamMayHoldAnAtSign) {
  esctl.store->append("a@b", {.type = "T", .data = "\"here\""}).value();
  EXPECT_EQ(esctl({"get", "a@b@1", "--data-only"}).out, "\"here\"");
}

TEST_F(EsctlRead, Counts) {
  EXPECT_EQ(esctl({"count"}).out, "10\n");
  EXPECT_EQ(esctl({"count", "--type", "B"}).out, "4\n");
  EXPECT_EQ(esctl({"count", "order-1", "--after", "5"}).out, "2\n");
  EXPECT_EQ(esctl({"count", "--json"}).out, "{\"count\":10}\n");
}

}  // namespace
}  // namespace esdb::tools
