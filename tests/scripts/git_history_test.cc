// scripts/git-history: what becomes of commits, paths and authors.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/scripts/shell.h"

namespace esdb::scripts {
namespace {

using nlohmann::json;

const std::string kHistory = ESDB_ROOT "/scripts/git-history";

class GitHistory : public ::testing::Test {
 protected:
  GitHistory() { run("git init -q ."); }

  void run(const std::string& command) {
    const auto outcome = scratch_.run(command);
    EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome.output;
  }
  void commit() {
    run("git add -A && git -c user.name=A -c user.email=a@example.org -c commit.gpgSign=false "
        "commit -q -m m --date=2020-02-03T04:05:06+01:00");
  }
  std::vector<json> events() {
    const auto outcome = scratch_.run(kHistory + " .");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
    std::vector<json> events;
    std::istringstream lines(outcome.output);
    for (std::string line; std::getline(lines, line);) events.push_back(json::parse(line));
    return events;
  }

  Scratch scratch_;
};

TEST_F(GitHistory, AFileIsAddedModifiedAndDeletedInOneStream) {
  run("echo 1 > a"), commit();
  run("echo 2 > a"), commit();
  run("rm a"), commit();
  const auto found = events();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0]["type"], "FileAdded");
  EXPECT_EQ(found[1]["type"], "FileModified");
  EXPECT_EQ(found[2]["type"], "FileDeleted");
  for (const auto& event : found) {
    EXPECT_EQ(event["stream"], "file-a");
    EXPECT_EQ(event["data"]["path"], "a");
    EXPECT_EQ(event["time"], "2020-02-03T03:05:06Z");
  }
  EXPECT_EQ(found[2]["data"]["blob"], found[1]["data"]["blob"]) << "what was deleted";
}

TEST_F(GitHistory, TheEventsOfACommitShareACorrelationIdAndLieTogether) {
  run("echo 1 > a; echo 1 > b"), commit();
  run("echo 2 > a; rm b"), commit();
  const auto found = events();
  ASSERT_EQ(found.size(), 4U);
  const auto id = [&](std::size_t i) { return found[i]["metadata"]["correlationId"]; };
  EXPECT_EQ(id(0), id(1));
  EXPECT_EQ(id(2), id(3));
  EXPECT_NE(id(0), id(2));
}

TEST_F(GitHistory, TheSameHistoryGivesTheSameIds) {
  run("echo 1 > a; echo 1 > b"), commit();
  const auto found = events();
  EXPECT_EQ(found, events());
  EXPECT_NE(found[0]["id"], found[1]["id"]);
}

TEST_F(GitHistory, AnAuthorIsOnlyAHash) {
  run("echo 1 > a"), commit();
  EXPECT_EQ(events()[0].dump().find("example.org"), std::string::npos);
  EXPECT_EQ(events()[0]["metadata"]["author"].get<std::string>().size(), 8U);
}

TEST_F(GitHistory, APathThatNoStreamCanBeNamedAfterIsEscaped) {
  run("echo 1 > \"$(printf 'a\\377b\\n\\tc\"d')\""), commit();
  EXPECT_EQ(events()[0]["stream"], "file-a%FFb%0A%09c\"d");
}

TEST_F(GitHistory, APathTooLongForAStreamIsCutAndTellsItselfApart) {
  const auto folder =
      std::string(200, 'd') + "/" + std::string(200, 'e') + "/" + std::string(90, 'f');
  run("mkdir -p " + folder + " && echo 1 > " + folder + "/a1234567 && echo 1 > " + folder +
      "/b1234567"),
      commit();
  const auto found = events();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0]["stream"].get<std::string>().size(), 500U);
  EXPECT_NE(found[0]["stream"], found[1]["stream"]);
}

TEST_F(GitHistory, WhatHasNoHistoryIsSaid) {
  const auto outcome = scratch_.run(kHistory + " /proc");
  EXPECT_NE(outcome.status, 0);
  EXPECT_NE(outcome.output.find("/proc has no git history"), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace esdb::scripts
