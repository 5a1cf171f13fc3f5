// scripts/check --format, with a clang-format that dislikes the word `ugly`.
#include <gtest/gtest.h>

#include <string>

#include "tests/scripts/shell.h"

namespace esdb::scripts {
namespace {

class CheckFormat : public ::testing::Test {
 protected:
  CheckFormat() {
    scratch_.run("git init -q . && mkdir scripts && cp " ESDB_ROOT "/scripts/check scripts/");
    scratch_.write_program("bin/clang-format-14",
                           "#!/bin/sh\n"
                           "status=0\n"
                           "for file in \"$@\"; do case $file in -*) continue ;; esac\n"
                           "  grep -q ugly \"$file\" || continue\n"
                           "  echo \"$file:1:5: error: code should be clang-formatted\" >&2\n"
                           "  status=1\n"
                           "done\n"
                           "exit $status\n");
    scratch_.write("a.cc", "fine");
    scratch_.write("b.h", "ugly");
    scratch_.run("git add a.cc");
  }
  Outcome check(const std::string& files = "") {
    return scratch_.run("PATH=$PWD/bin:$PATH scripts/check --format " + files);
  }
  Scratch scratch_;
};

TEST_F(CheckFormat, SaysNothingWhereEverythingIsInTheLayout) {
  const auto outcome = check();
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(outcome.output, "");
}

TEST_F(CheckFormat, NamesFileAndLineAndWhatToDo) {
  scratch_.run("git add b.h");
  const auto outcome = check();
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find("b.h:1: not in the agreed layout"), std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.output.find("clang-format-14 -i"), std::string::npos) << outcome.output;
}

TEST_F(CheckFormat, LooksOnlyAtWhatIsNamed) {
  scratch_.run("git add b.h");
  EXPECT_EQ(check("a.cc").status, 0);
  EXPECT_EQ(check("b.h").status, 1);
}

TEST_F(CheckFormat, WithoutTheToolSaysHowToInstallIt) {
  const auto outcome = scratch_.run(
      "rm bin/*; for p in bash git env dirname sed; do ln -s \"$(command -v $p)\" bin/; done; "
      "PATH=$PWD/bin scripts/check --format");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find("scripts/setup check"), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace esdb::scripts
