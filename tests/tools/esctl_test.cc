#include "tools/esctl.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/tools/run_esctl.h"
#include "tests/tools/temporary_directory.h"

namespace esdb::tools {
namespace {

using testing::RunEsctl;
using testing::TemporaryDirectory;

const std::vector<std::string> kCommands{"append", "read",       "subscribe", "get",       "count",
                                         "import", "export",     "copy",      "streams",   "info",
                                         "types",  "categories", "tags",      "tracking",  "stats",
                                         "ping",   "verify",     "inspect",   "completion"};

TEST(Esctl, EveryCommandHasHelpWithExamples) {
  RunEsctl esctl;
  const auto all = esctl({"--help"});
  EXPECT_EQ(all.code, 0);
  for (const auto& command : kCommands) {
    EXPECT_NE(all.out.find("  " + command + " "), all.out.npos) << command;
    const auto help = esctl({command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_NE(help.out.find("Examples:\n  "), help.out.npos) << command;
    EXPECT_NE(help.out.find("esctl " + command), help.out.npos) << command;
  }
}

TEST(Esctl, AWrongCommandLineIsAUsageError) {
  RunEsctl esctl;
  EXPECT_EQ(esctl({}).code, 2);
  EXPECT_EQ(esctl({"fly"}).code, 2);
  EXPECT_EQ(esctl({"count", "--fly"}).code, 2);
  EXPECT_EQ(esctl({"completion", "tcsh"}).code, 2);
  EXPECT_EQ(esctl({"--version"}).code, 0);
}

TEST(Esctl, TakesGlobalOptionsBeforeAndBehindTheCommand) {
  RunEsctl esctl;
  EXPECT_EQ(esctl({"--json", "--store", "memory:a", "count"}).out, "{\"count\":0}\n");
  EXPECT_EQ(esctl({"count", "--json", "--store", "memory:b", "--timeout", "1500ms"}).code, 0);
  EXPECT_EQ(esctl.opened, (std::vector<std::string>{"memory:a", "memory:b"}));
  EXPECT_EQ(esctl.open_options.timeout, std::chrono::milliseconds(1500));
}

TEST(Esctl, LooksForTheStoreInOrder) {
  const TemporaryDirectory directory;
  RunEsctl esctl;
  esctl.environment = {{"XDG_RUNTIME_DIR", directory.file("")}};
  directory.write("esdb.sock", "");
  EXPECT_EQ(esctl({"count"}).code, 0);
  esctl.environment["ESDB_URL"] = "memory:from-environment";
  EXPECT_EQ(esctl({"count"}).code, 0);
  EXPECT_EQ(esctl({"count", "--store", "memory:given"}).code, 0);
  EXPECT_EQ(esctl.opened, (std::vector<std::string>{"unix:" + directory.file("") + "/esdb.sock",
                                                    "memory:from-environment", "memory:given"}));
}

TEST(Esctl, SaysWhereNoStoreIs) {
  RunEsctl esctl;
  esctl.environment = {{"XDG_RUNTIME_DIR", "/no/such/directory"}};
  const auto no_server = esctl({"count"});
  EXPECT_EQ(no_server.code, 4);
  EXPECT_NE(no_server.err.find("/no/such/directory/esdb.sock"), std::string::npos) << no_server.err;
  const auto no_directory = esctl({"count", "--store", "/no/such/directory"});
  EXPECT_EQ(no_directory.code, 4);
  EXPECT_EQ(no_directory.err, "esctl: there is no store at /no/such/directory\n");
  EXPECT_TRUE(esctl.opened.empty());
}

TEST(Esctl, OnlyCommandsThatWriteMakeADirectoryIntoAStore) {
  const TemporaryDirectory directory;
  RunEsctl esctl;
  EXPECT_EQ(esctl({"append", "s", "--type", "T", "--store", directory.file("new")}).code, 0);
  EXPECT_EQ(esctl.open_options.create, Create::kIfMissing);
  EXPECT_EQ(esctl.open_options.access, Access::kReadWrite);
  std::filesystem::create_directories(directory.file("old/log"));
  EXPECT_EQ(esctl({"count", "--store", directory.file("old")}).code, 0);
  EXPECT_EQ(esctl.open_options.create, Create::kNever);
  EXPECT_EQ(esctl.open_options.access, Access::kReadOnly);
}

TEST(Esctl, EveryErrorHasItsExitCode) {
  const auto code = [](ErrorCode error) { return static_cast<int>(exit_code_of({.code = error})); };
  EXPECT_EQ(code(ErrorCode::kInvalidArgument), 1);
  EXPECT_EQ(code(ErrorCode::kConflict), 3);
  EXPECT_EQ(code(ErrorCode::kAlreadyExists), 3);
  EXPECT_EQ(code(ErrorCode::kAlreadyTracked), 3);
  EXPECT_EQ(code(ErrorCode::kIdConflict), 3);
  EXPECT_EQ(code(ErrorCode::kUnavailable), 1);
  EXPECT_EQ(code(ErrorCode::kOutcomeUnknown), 5);
  EXPECT_EQ(code(ErrorCode::kCorrupt), 65);
  EXPECT_EQ(code(ErrorCode::kRefused), 65);
}

TEST(EsctlCompletion, KnowsEveryCommandInEveryShell) {
  RunEsctl esctl;
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const auto done = esctl({"completion", shell});
    EXPECT_EQ(done.code, 0);
    for (const auto& command : kCommands)
      EXPECT_NE(done.out.find(command), done.out.npos) << shell << " " << command;
    EXPECT_NE(done.out.find("commit-by"), done.out.npos) << shell;
  }
}

}  // namespace
}  // namespace esdb::tools
