#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"
#include "tests/tools/flaky_store.h"
#include "tests/tools/run_esctl.h"

namespace esdb::tools {
namespace {

using testing::FlakyStore;
using testing::lines_of;
using testing::RunEsctl;

const std::string kSmall = ESDB_TEST_DATA "/small.ndjson.zst";

std::string line(const std::string& stream, const std::string& rest = {}) {
  return R"({"stream":")" + stream + R"(","type":"T")" + rest + "}\n";
}

class EsctlImport : public ::testing::Test {
 protected:
  // The streams in the log, in order: "a b c ".
  std::string streams() {
    std::string found;
    esctl.store
        ->for_each(everything(), {}, [&](RecordedEvent e) { found.append(e.stream()).append(" "); })
        .value();
    return found;
  }
  testing::Outcome import(const std::string& text, std::vector<std::string> options = {}) {
    std::vector<std::string> words{"import", directory.write("lines", text)};
    words.insert(words.end(), options.begin(), options.end());
    return esctl(words);
  }

  fixtures::ScratchDirectory directory{};
  RunEsctl esctl{};
};

TEST_F(EsctlImport, TakesInARealHistory) {
  const auto done = esctl({"import", kSmall, "--commit-by", "correlationId", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto summary = nlohmann::json::parse(done.out);
  EXPECT_EQ(summary["events"], 2010);
  EXPECT_EQ(summary["appends"], 115);
  EXPECT_EQ(summary["tracked_to"], 2010);
  EXPECT_EQ(esctl({"count", "--type", "FileAdded"}).out, "669\n");
  EXPECT_EQ(esctl({"count", "--type", "FileModified"}).out, "1277\n");
  EXPECT_EQ(esctl({"count", "--type", "FileDeleted"}).out, "64\n");
  EXPECT_EQ(lines_of(esctl({"streams"}).out).size(), 669u);
  EXPECT_EQ(
      nlohmann::json::parse(
          esctl({"info", "file-src/execution/expression_executor.cpp", "--json"}).out)["version"],
      34);
}

TEST_F(EsctlImport, ASecondRunAddsNothing) {
  ASSERT_EQ(esctl({"import", kSmall, "--commit-by", "correlationId"}).code, 0);
  const auto again = esctl({"import", kSmall, "--commit-by", "correlationId"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, "nothing new\n");
  EXPECT_NE(again.err.find("up to line 2010"), std::string::npos) << again.err;
  EXPECT_EQ(esctl({"count"}).out, "2010\n");
}

TEST_F(EsctlImport, LinesWithoutIdsAreTakenInOnceToo) {
  const auto text = line("a") + line("b") + line("c");
  ASSERT_EQ(import(text).code, 0);
  ASSERT_EQ(import(text + line("d")).code, 0);
  EXPECT_EQ(streams(), "a b c d ");
}

TEST_F(EsctlImport, GoesOnWhereItWasInterruptedAndSaysWhere) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const auto whole = fixtures::make_reference_store();
  for (int runs = 0;; ++runs) {
    ASSERT_LT(runs, 1000);
    // A store that stops answering for good after some appends, as one that was killed does.
    std::map<std::size_t, FlakyStore::Fault> faults;
    const auto first = 1 + random() % 30;
    for (std::size_t i = first; i < 5000; ++i)
      faults[i] = {ErrorCode::kClosed, i == first && random() % 2 == 0};
    RunEsctl run;
    run.store = std::make_shared<FlakyStore>(esctl.store, faults);
    const auto done = run({"import", kSmall, "--commit-by", "correlationId"});
    EXPECT_EQ(runs > 0, done.err.find("going on behind it") != std::string::npos) << done.err;
    if (done.code == 0) break;
  }
  EXPECT_EQ(esctl({"count"}).out, "2010\n");
  RunEsctl straight;
  ASSERT_EQ(straight({"import", kSmall, "--commit-by", "correlationId"}).code, 0);
  const auto digest = [](RunEsctl& run) {
    std::string found;
    run.store
        ->for_each(everything(), {},
                   [&](RecordedEvent e) {
                     found += to_string(e.id()) + to_string(e.version()) + to_string(e.append());
                     found.append(e.data()).append(e.metadata());
                   })
        .value();
    return found;
  };
  EXPECT_EQ(digest(esctl), digest(straight));
}

TEST_F(EsctlImport, StandardInputNeedsAName) {
  EXPECT_EQ(esctl({"import", "-"}, line("a")).code, 2);
  EXPECT_EQ(esctl({"import", "-", "--source", "pipe"}, line("a")).code, 0);
  EXPECT_EQ(esctl({"tracking"}).out, "1  pipe\n");
}

TEST_F(EsctlImport, TheSourceIsTheAbsolutePath) {
  ASSERT_EQ(import(line("a")).code, 0);
  EXPECT_EQ(esctl({"tracking"}).out, "1  " + directory.path("lines") + "\n");
  EXPECT_EQ(import(line("a"), {"--source", std::string(256, 'x')}).code, 2);
}

TEST_F(EsctlImport, RefusesWhatCannotBeMeant) {
  EXPECT_EQ(esctl({"import"}).code, 2);
  EXPECT_EQ(import(line("a"), {"--commit-size", "0"}).code, 2);
  EXPECT_EQ(import(line("a"), {"--commit-size", "5", "--commit-by", "k"}).code, 2);
  EXPECT_EQ(esctl({"import", "/no/such/file"}).code, 1);
  EXPECT_EQ(esctl({"import", "/dev/null"}).code, 2);
}

TEST_F(EsctlImport, ABadLineEndsItWithItsPlace) {
  const auto file = directory.path("lines");
  const auto done = import(line("a") + line("b") + line("c") + "{\"stream\":\"d\"}\n" + line("e"),
                           {"--commit-size", "2"});
  EXPECT_EQ(done.code, 1);
  EXPECT_EQ(done.err,
            "esctl: " + file +
                ":4: it has no \"type\"; written up to line 2, and nothing behind it. The "
                "same command again goes on there\n");
  EXPECT_EQ(streams(), "a b ");
  // Mended, it goes on.
  EXPECT_EQ(import(line("a") + line("b") + line("c") + line("d")).code, 0);
  EXPECT_EQ(streams(), "a b c d ");
}

TEST_F(EsctlImport, EveryKindOfBadLineIsTold) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{\"stream\":", "not JSON: "},
      {"{\"stream\":\"\xff\",\"type\":\"T\"}", "not UTF-8"},
      {"{\"stream\":\"\xff", "not UTF-8"},
      {R"({"type":"T"})", "it has no \"stream\""},
      {R"({"stream":"","type":"T"})", "stream"},
      {R"({"stream":"$system","type":"T"})", "stream"},
      {R"({"stream":")" + std::string(501, 's') + R"(","type":"T"})", "stream"},
      {R"({"stream":"s","type":"a\u0000b"})", "type"},
      {R"({"stream":"s","type":"T","data":")" + std::string(5 << 20, 'x') + "\"}", "bytes"},
      {std::string(17 << 20, ' '), "the line is longer than 16 MiB"}};
  for (const auto& [text, reason] : cases) {
    esctl.store = fixtures::make_reference_store();
    const auto done = import(line("a") + text + "\n" + line("b"), {"--commit-size", "1"});
    const auto shown = text.substr(0, 60);
    EXPECT_EQ(done.code, 1) << shown;
    EXPECT_NE(done.err.find(directory.path("lines") + ":2: "), std::string::npos)
        << shown << done.err;
    EXPECT_NE(done.err.find(reason), std::string::npos) << shown << "\n" << done.err;
    EXPECT_EQ(streams(), "a ") << shown;
  }
}

TEST_F(EsctlImport, LeavesOutOnlyTheAppendOfABadLineWhereAsked) {
  const auto key = [](int k) { return ",\"metadata\":{\"k\":" + std::to_string(k) + "}"; };
  const auto text = line("a", key(1)) + line("b", key(2)) + R"({"stream":"c","metadata":{"k":2}})" +
                    "\n" + line("d", key(2)) + line("e", key(3)) + "broken\n" + line("f", key(4)) +
                    line("g", key(5));
  const auto done = import(text, {"--commit-by", "k", "--continue-on-error"});
  EXPECT_EQ(done.code, 1);
  EXPECT_EQ(streams(), "a g ");
  const auto told = lines_of(done.err);
  ASSERT_EQ(told.size(), 3u) << done.err;
  EXPECT_NE(done.out.find("3 appends left out, 6 lines: mended, they go into a file of their own"),
            std::string::npos)
      << done.out;
  EXPECT_TRUE(told[0].ends_with(":3: it has no \"type\" (lines 2 to 4 left out)")) << told[0];
  EXPECT_TRUE(told[1].ends_with("(lines 5 to 6 left out)")) << told[1];
  EXPECT_NE(told[2].find(":6: not JSON"), std::string::npos) << told[2];
  EXPECT_NE(done.out.find("3 appends left out"), std::string::npos) << done.out;
}

TEST_F(EsctlImport, EveryBadLineOfAnAppendIsTold) {
  const auto text =
      line("a") + "{\"stream\":\"b\"}\n" + line("c") + "{\"type\":\"T\"}\n" + line("e") + line("f");
  const auto done = import(text, {"--commit-size", "5", "--continue-on-error"});
  EXPECT_EQ(done.code, 1);
  EXPECT_EQ(streams(), "f ");
  const auto file = directory.path("lines");
  EXPECT_EQ(done.err, file + ":2: it has no \"type\" (lines 1 to 5 left out)\n" + file +
                          ":4: it has no \"stream\" (left out with line 2)\n");
  esctl.store = fixtures::make_reference_store();
  const auto json =
      lines_of(import("\n" + text, {"--commit-size", "5", "--continue-on-error", "--json"}).out);
  const auto left_out = nlohmann::json::parse(json.at(0))["left_out"];
  EXPECT_EQ(left_out["lines"], 5);
  EXPECT_EQ(left_out["first_line"], 2);
  EXPECT_EQ(left_out["more"][0]["line"], 5);
  EXPECT_EQ(nlohmann::json::parse(json.back())["left_out_lines"], 5);
}

TEST_F(EsctlImport, MendedLinesComeInFromAFileOfTheirOwn) {
  const auto text = line("a") + "{\"stream\":\"b\"}\n" + line("c");
  ASSERT_EQ(import(text, {"--commit-size", "1", "--continue-on-error"}).code, 1);
  // The source has gone past the line: mended where it stood, it is not read again.
  EXPECT_EQ(import(line("a") + line("b") + line("c")).out, "nothing new\n");
  EXPECT_EQ(esctl({"import", directory.write("mended", line("b"))}).code, 0);
  EXPECT_EQ(streams(), "a c b ");
  EXPECT_NE(esctl({"import", "--help"}).out.find("another --source"), std::string::npos);
}

TEST_F(EsctlImport, BadLinesAtTheEndAreLeftOutOnce) {
  const std::vector<std::string> options{"--commit-size", "1", "--continue-on-error"};
  const auto text = line("a") + "broken\n" + "{}\n";
  const auto first = import(text, options);
  EXPECT_EQ(first.code, 1);
  EXPECT_EQ(lines_of(first.err).size(), 2u) << first.err;
  EXPECT_EQ(esctl({"tracking"}).out, "3  " + directory.path("lines") + "\n");
  const auto again = import(text, options);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, "nothing new\n");
  EXPECT_EQ(import(text + line("b"), options).code, 0);
  EXPECT_EQ(streams(), "a b ");
}

TEST_F(EsctlImport, WhereAllIsLeftOutThereIsNoRate) {
  const auto done = import("broken\n", {"--continue-on-error"});
  EXPECT_EQ(done.code, 1);
  EXPECT_TRUE(done.out.starts_with("nothing was written\n1 appends left out, 1 lines")) << done.out;
}

TEST_F(EsctlImport, WhatTheStoreRefusesIsToldWithItsLine) {
  const std::string id = R"(,"id":"018f2c5e-0000-7000-8000-000000000001")";
  ASSERT_EQ(esctl({"import", "-", "--source", "before"}, line("other", id)).code, 0);
  const auto text = line("a") + line("b") + line("c", id) + line("d") + line("e");
  const auto done = import(text, {"--commit-size", "2"});
  EXPECT_EQ(done.code, 3);
  EXPECT_NE(done.err.find(directory.path("lines") + ":3: "), std::string::npos) << done.err;
  EXPECT_NE(done.err.find("written up to line 2"), std::string::npos) << done.err;
  EXPECT_EQ(streams(), "other a b ");
  const auto rest = import(text, {"--commit-size", "2", "--continue-on-error", "--json"});
  EXPECT_EQ(rest.code, 1);
  EXPECT_EQ(streams(), "other a b e ");
  const auto left_out = nlohmann::json::parse(lines_of(rest.out)[0])["left_out"];
  EXPECT_EQ(left_out["first_line"], 3);
  EXPECT_EQ(left_out["last_line"], 4);
}

TEST_F(EsctlImport, TheSameIdTwiceInOneAppendIsRefused) {
  const std::string id = R"(,"id":"018f2c5e-0000-7000-8000-000000000001")";
  const auto done = import(line("x") + line("a", id) + line("b", id));
  EXPECT_NE(done.code, 0);
  EXPECT_NE(done.err.find(directory.path("lines") + ":3: "), std::string::npos) << done.err;
  EXPECT_EQ(streams(), "");
}

TEST_F(EsctlImport, BlankLinesAreCountedAndPassedOver) {
  const auto done = import("\n" + line("a") + " \r\n\n" + line("b") + "x");
  EXPECT_NE(done.err.find(":6: not JSON"), std::string::npos) << done.err;
  EXPECT_EQ(import("\n" + line("a") + " \r\n\n" + line("b")).code, 0);
  EXPECT_EQ(streams(), "a b ");
}

TEST_F(EsctlImport, ACutOffFileEndsWithWhatWasWhole) {
  const auto bytes = fixtures::read_file(kSmall);
  const auto packed = directory.write("cut.zst", bytes.substr(0, bytes.size() / 2));
  const auto done = esctl({"import", packed, "--commit-by", "correlationId"});
  EXPECT_EQ(done.code, 1);
  EXPECT_NE(done.err.find("it was cut off"), std::string::npos) << done.err;
  directory.write("cut.zst", bytes);
  EXPECT_EQ(esctl({"import", packed, "--commit-by", "correlationId"}).code, 0);
  EXPECT_EQ(esctl({"count"}).out, "2010\n");
}

TEST_F(EsctlImport, AFileImportedUnderAnotherNameGoesOnWhereItGrows) {
  ASSERT_EQ(esctl({"import", kSmall, "--commit-by", "correlationId"}).code, 0);
  // Unpacked it is another file, with the same ids.
  const auto text = esctl({"export", "--all"}).out;
  const auto moved = directory.write("moved", text);
  const auto done = esctl({"import", moved, "--commit-by", "correlationId"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "nothing new\n115 appends were there already\n");
  EXPECT_EQ(esctl({"import", moved, "--commit-by", "correlationId"}).out, "nothing new\n");
  directory.write("moved", text + line("grown"));
  const auto grown = esctl({"import", moved, "--commit-by", "correlationId"});
  EXPECT_EQ(grown.code, 0) << grown.err;
  EXPECT_TRUE(grown.out.starts_with("1 events in 1 appends")) << grown.out;
  EXPECT_EQ(esctl({"count"}).out, "2011\n");
  // Grown and moved at once.
  directory.write("again", text + line("grown", R"(,"id":"018f2c5e-0000-7000-8000-000000000009")"));
  const auto again =
      esctl({"import", directory.path("again"), "--commit-by", "correlationId", "--json"});
  EXPECT_EQ(again.code, 0) << again.err;
  const auto summary = nlohmann::json::parse(again.out);
  EXPECT_EQ(summary["repeated"], 115);
  EXPECT_EQ(summary["appends"], 1);
  EXPECT_EQ(summary["tracked_to"], 2011);
}

TEST_F(EsctlImport, ALineRepeatedInTheFileIsTakenInOnce) {
  const std::string id = R"(,"id":"018f2c5e-0000-7000-8000-000000000001")";
  const auto text = line("a", id) + line("b") + line("a", id) + line("c");
  const auto done = import(text, {"--commit-size", "1"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_NE(done.out.find("1 append was there already"), std::string::npos) << done.out;
  EXPECT_EQ(streams(), "a b c ");
  EXPECT_EQ(import(text, {"--commit-size", "1"}).out, "nothing new\n");
}

TEST_F(EsctlImport, AStopEndsItAndItGoesOnLater) {
  esctl.stop.request_stop();
  EXPECT_EQ(import(line("a")).code, 1);
  EXPECT_EQ(streams(), "");
}

}  // namespace
}  // namespace esdb::tools
