// scripts/quickstart, with programs that pretend to be the server and esctl.
#include <gtest/gtest.h>

#include <string>

#include "tests/scripts/shell.h"

namespace esdb::scripts {
namespace {

class Quickstart : public ::testing::Test {
 protected:
  Quickstart() {
    scratch_.run("mkdir -p scripts && cp " ESDB_ROOT "/scripts/quickstart scripts/");
    scratch_.write_program("scripts/build", "#!/bin/sh\nmkdir -p build\n");
    scratch_.write_program("scripts/git-history", "#!/bin/sh\necho '{}'\n");
    scratch_.write_program("build/tools/esctl", "#!/bin/sh\necho \"esctl $*\"\n");
    scratch_.write_program("build/examples/8_files_alive", "#!/bin/sh\necho alive\n");
    server_does("trap 'kill $!; exit 0' TERM; sleep 100 & wait");
  }
  void server_does(const std::string& body) {
    scratch_.write_program("build/server/esdb-server", "#!/bin/bash\n" + body + "\n");
  }
  Outcome quickstart() { return scratch_.run("scripts/quickstart"); }

  Scratch scratch_;
};

TEST_F(Quickstart, ImportsShowsAndSaysHowToGoOn) {
  const auto outcome = quickstart();
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  for (const auto* part : {"import build/quickstart/history.ndjson", "alive", "subscribe"})
    EXPECT_NE(outcome.output.find(part), std::string::npos) << outcome.output;
  EXPECT_EQ(outcome.output.find("deleted"), std::string::npos) << outcome.output;
}

TEST_F(Quickstart, SaysThatItDeletesWhatTheLastRunLeft) {
  quickstart();
  scratch_.write("build/quickstart/mine", "");
  const auto outcome = quickstart();
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("left in build/quickstart is deleted"), std::string::npos)
      << outcome.output;
  EXPECT_NE(scratch_.run("ls build/quickstart/mine").status, 0);
}

TEST_F(Quickstart, ShowsTheLogOfAServerThatDoesNotStart) {
  server_does("echo 'no room' >&2; exit 1");
  scratch_.write_program("build/tools/esctl", "#!/bin/sh\nexit 1\n");
  const auto outcome = quickstart();
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find("no room"), std::string::npos) << outcome.output;
}

TEST_F(Quickstart, SaysWhereItWasGivenNoDirectory) {
  const auto outcome = scratch_.run("scripts/quickstart /nowhere");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find("/nowhere is no directory"), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace esdb::scripts
