// scripts/setup, on a system made of three pretended programs.
#include <gtest/gtest.h>

#include <string>

#include "tests/scripts/shell.h"

namespace esdb::scripts {
namespace {

class Setup : public ::testing::Test {
 protected:
  Setup() {
    scratch_.run("mkdir scripts && cp " ESDB_ROOT "/scripts/setup scripts/");
    scratch_.write("scripts/packages", "# lane package\nbuild g++ compiler\ncheck tidy tool\n");
    scratch_.write_program("bin/dpkg-query", "#!/bin/sh\ncat \"$INSTALLED\"\n");
    scratch_.write_program("bin/id", "#!/bin/sh\necho 0\n");
    installs("exit 0");
    installed("");
  }

  void installed(const std::string& packages) { scratch_.write("installed", packages); }
  void installs(const std::string& body) {
    scratch_.write_program("bin/apt-get", "#!/bin/sh\necho \"$@\" >> asked\n" + body + "\n");
  }
  Outcome setup(const std::string& arguments = "") {
    return scratch_.run("INSTALLED=$PWD/installed PATH=$PWD/bin:$PATH scripts/setup " + arguments);
  }
  std::string asked() { return scratch_.run("cat asked").output; }

  Scratch scratch_;
};

TEST_F(Setup, SaysNothingWhenNothingIsMissing) {
  installed("installed g++, \nconfig-files tidy, \n");
  const auto outcome = setup();
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output, "");
}

TEST_F(Setup, InstallsWhatIsMissingWithoutAskingForNewLists) {
  const auto outcome = setup();
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_EQ(asked(), "-qq -y --no-install-recommends install g++\n");
}

TEST_F(Setup, FetchesNewListsWhenThePackageIsNotInThem) {
  installs("[ -e listed ] || [ \"$4\" = update ] && touch listed");
  const auto outcome = setup();
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(asked().find("update\n"), std::string::npos) << asked();
}

TEST_F(Setup, APackageThatIsRemovedButKeepsItsSettingsIsMissing) {
  installed("config-files g++, \n");
  setup();
  EXPECT_NE(asked().find("install g++"), std::string::npos);
}

TEST_F(Setup, APackageThatAnotherProvidesIsThere) {
  installed("installed clang, g++ (= 12), c++-compiler\n");
  EXPECT_EQ(setup().output, "");
}

TEST_F(Setup, TheToolsOfTheChecksAreInstalledOnlyWhenAskedFor) {
  installed("installed g++, \n");
  EXPECT_EQ(setup().output, "");
  setup("check");
  EXPECT_NE(asked().find("install tidy"), std::string::npos);
}

TEST_F(Setup, SaysWhatToDoWhenItCannotInstall) {
  installs("echo no network; exit 100");
  const auto outcome = setup();
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find("no network"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("apt-get install g++"), std::string::npos) << outcome.output;
}

TEST_F(Setup, SaysWhatToDoWhereThereIsNoDebian) {
  const auto outcome = scratch_.run(
      "rm bin/dpkg-query; for p in bash env dirname awk; do ln -s \"$(command -v $p)\" bin/; done; "
      "PATH=$PWD/bin scripts/setup");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find("scripts/packages"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("cmake --preset release"), std::string::npos) << outcome.output;
  EXPECT_EQ(asked().find("install"), std::string::npos);
}

TEST_F(Setup, NamesEveryMissingPackageAndNoneThatIsThere) {
  scratch_.write("scripts/packages", "build one it\nbuild two it\nbuild three it\n");
  installed("installed two, \n");
  EXPECT_NE(setup().output.find("installing one three"), std::string::npos);
  EXPECT_EQ(asked(), "-qq -y --no-install-recommends install one three\n");
}

TEST_F(Setup, SaysWhatToDoWhenItMayNotInstall) {
  scratch_.write_program("bin/id", "#!/bin/sh\necho 1000\n");
  // A PATH without sudo: only what the script itself needs.
  const auto outcome = scratch_.run(
      "for p in bash cat env dirname awk sed tr grep; do ln -s \"$(command -v $p)\" bin/; done; "
      "INSTALLED=$PWD/installed PATH=$PWD/bin scripts/setup");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find("apt-get install g++"), std::string::npos) << outcome.output;
}

}  // namespace
}  // namespace esdb::scripts
