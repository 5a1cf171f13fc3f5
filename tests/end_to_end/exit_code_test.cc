// What esctl ends with, as scripts see it. 65, the damaged store, has a file of its own.
#include <gtest/gtest.h>

#include <string>

#include "tests/end_to_end/deaf_relay.h"
#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

TEST(ExitCode, OfWhatWentWellIsZero) {
  const fixtures::ScratchDirectory scratch;
  const auto store = scratch.path("data");
  const auto appended = run_esctl({"append", "order-1", "--type", "Placed", "--data",
                                   R"({"total":12})", "--store", store, "--json"});
  EXPECT_EQ(appended.ended, Ended{.code = 0}) << appended.err;
  EXPECT_EQ(raw_value(appended.out, "version"), "1");
  EXPECT_EQ(run_esctl({"get", "order-1@1", "--data-only", "--store", store}).out,
            R"({"total":12})");
  EXPECT_EQ(run_esctl({"--help"}).ended, Ended{.code = 0});
}

TEST(ExitCode, OfAnErrorIsOne) {
  const fixtures::ScratchDirectory scratch;
  const auto missing =
      run_esctl({"import", scratch.path("missing"), "--store", scratch.path("data")});
  EXPECT_EQ(missing.ended, Ended{.code = 1}) << missing.err;
  const auto bad = run_esctl(
      {"import", scratch.write("bad.ndjson", "{\"stream\":\n"), "--store", scratch.path("data")});
  EXPECT_EQ(bad.ended, Ended{.code = 1}) << bad.err;
  EXPECT_NE(bad.err.find("bad.ndjson:1"), std::string::npos) << bad.err;
}

TEST(ExitCode, OfACommandLineThatDoesNotSayWhatToDoIsTwo) {
  const fixtures::ScratchDirectory scratch;
  const auto store = scratch.path("data");
  EXPECT_EQ(run_esctl({}).ended, Ended{.code = 2});
  EXPECT_EQ(run_esctl({"frobnicate"}).ended, Ended{.code = 2});
  EXPECT_EQ(run_esctl({"append", "order-1", "--store", store}).ended, Ended{.code = 2});
  EXPECT_EQ(run_esctl({"append", "a-1", "--type", "T", "--data", "{", "--store", store}).ended,
            Ended{.code = 2});
}

TEST(ExitCode, OfACheckThatDoesNotHoldIsThree) {
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch);
  ASSERT_TRUE(server.start()) << server.log();
  const auto append = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"append",  "order-1",    "--type", "Placed",
                                      "--store", server.url(), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return run_esctl(words);
  };
  const std::string id = "0197a000-0000-7000-8000-000000000001";
  ASSERT_EQ(append({"--expect", "none", "--id", id}).ended, Ended{.code = 0});
  const auto conflict = append({"--expect", "none"});
  EXPECT_EQ(conflict.ended, Ended{.code = 3}) << conflict.err;
  EXPECT_EQ(raw_value(conflict.err, "error"), "\"conflict\"") << conflict.err;
  EXPECT_EQ(append({"--absent", "type:Placed"}).ended, Ended{.code = 3});
  EXPECT_EQ(append({"--unchanged", "category:order@0"}).ended, Ended{.code = 3});
  EXPECT_EQ(append({"--id", id, "--data", "1"}).ended, Ended{.code = 3});
  const auto again = append({"--expect", "none", "--id", id});
  EXPECT_EQ(again.ended, Ended{.code = 0}) << again.err;
  EXPECT_EQ(raw_value(again.out, "repeated"), "true") << again.out;
}

TEST(ExitCode, OfAPlaceWithoutAStoreIsFour) {
  const fixtures::ScratchDirectory scratch;
  EXPECT_EQ(run_esctl({"stats", "--store", scratch.path("nothing")}).ended, Ended{.code = 4});
  EXPECT_EQ(
      run_esctl({"ping", "--timeout", "1s", "--store", "unix:" + scratch.path("none.sock")}).ended,
      Ended{.code = 4});
  EXPECT_EQ(run_esctl({"ping", "--timeout", "1s", "--store", "esdb://127.0.0.1:1"}).ended,
            Ended{.code = 4});
}

TEST(ExitCode, OfAnAppendWhoseAnswerWasLostIsFiveAndTheSameIdTellsIt) {
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch);
  ASSERT_TRUE(server.start()) << server.log();
  const std::string id = "0197a000-0000-7000-8000-000000000002";
  std::vector<std::string> words = {"append",        "order-1",   "--type", "Placed", "--data",
                                    R"("the-word")", "--expect",  "none",   "--id",   id,
                                    "--json",        "--timeout", "2s",     "--store"};
  {
    const auto far = scratch.path("far.sock");
    const DeafRelay relay(far, server.socket(), "the-word");
    auto through_relay = words;
    through_relay.push_back("unix:" + far);
    const auto lost = run_esctl(through_relay);
    EXPECT_TRUE(relay.heard());
    EXPECT_EQ(lost.ended, Ended{.code = 5}) << lost.out << lost.err;
    EXPECT_NE(lost.err.find("--id " + id), std::string::npos) << lost.err;
    EXPECT_EQ(raw_value(lost.err, "id"), "\"" + id + "\"") << lost.err;
  }
  words.push_back(server.url());
  const auto again = run_esctl(words);
  EXPECT_EQ(again.ended, Ended{.code = 0}) << again.err;
  EXPECT_EQ(raw_value(again.out, "repeated"), "true") << again.out;
}

}  // namespace
}  // namespace esdb::end_to_end
