// scripts/figures: what tests have told, added up.
#include <gtest/gtest.h>

#include <string>

#include "tests/scripts/shell.h"

namespace esdb::scripts {
namespace {

const std::string kFigures = ESDB_ROOT "/scripts/figures";

class FiguresOfTests : public ::testing::Test {
 protected:
  FiguresOfTests() {
    scratch_.write("one.log",
                   "[ RUN      ] Some.Test\n"
                   "figures: power loss, sectors: 3 states, 9 points each\n"
                   "figures: kill -9: 0 cycles\n");
    scratch_.write("two.log", "figures: power loss, sectors: 3000000000 states, 7 points each\n");
  }

  Scratch scratch_;
};

TEST_F(FiguresOfTests, AreAddedUpByNameAndWhatEachRunHasIsCountedOnce) {
  const auto done = scratch_.run(kFigures + " one.log two.log");
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.output,
            "kill -9              0 cycles\n"
            "power loss, sectors  3000000003 states, 9 points\n");
}

TEST_F(FiguresOfTests, BecomeATableInMarkdown) {
  const auto done = scratch_.run(kFigures + " --markdown two.log");
  EXPECT_EQ(done.output,
            "| Test | Done |\n|---|---|\n"
            "| power loss, sectors | 3000000000 states, 7 points |\n");
}

TEST_F(FiguresOfTests, OfNoFileAreAnError) {
  EXPECT_EQ(scratch_.run(kFigures).status, 2);
  EXPECT_NE(scratch_.run(kFigures + " none.log").status, 0);
}

}  // namespace
}  // namespace esdb::scripts
