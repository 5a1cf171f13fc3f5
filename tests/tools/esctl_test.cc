#include "tools/esctl.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "esdb/default_socket.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/tools/run_esctl.h"

namespace esdb::tools {
namespace {

using testing::RunEsctl;

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

// What is said of a command line, one line.
std::string refusal_of(RunEsctl& esctl, const std::vector<std::string>& words) {
  const auto done = esctl(words);
  EXPECT_EQ(done.code, 2) << ::testing::PrintToString(words) << done.err;
  EXPECT_EQ(done.out, "") << ::testing::PrintToString(words);
  return done.err;
}

TEST(Esctl, AUsageErrorSaysWhatIsWrongAndWhereTheHelpIs) {
  RunEsctl esctl;
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{}, "no command is given; see 'esctl --help'"},
      {{"fly"}, "there is no command \"fly\"; see 'esctl --help'"},
      {{"fly", "--store", "memory:a"}, "there is no command \"fly\"; see 'esctl --help'"},
      {{"--fly"}, "there is no option \"--fly\"; see 'esctl --help'"},
      {{"count", "--fly"}, "there is no option \"--fly\"; see 'esctl count --help'"},
      {{"count", "a", "b"}, "\"b\" is one argument too many; see 'esctl count --help'"},
      {{"count", "--type"}, "--type needs a value behind it; see 'esctl count --help'"},
      {{"count", "--all=maybe"}, "--all takes no value; see 'esctl count --help'"},
      {{"append", "s"}, "--type is required; see 'esctl append --help'"},
      {{"append", "--type", "T"}, "STREAM is required; see 'esctl append --help'"},
      {{"read", "--all", "--since", "1h", "--since", "2h"},
       "--since is given more than once: give it once; see 'esctl read --help'"},
      {{"import", "f", "--commit-size", "2", "--commit-by", "k"},
       "--commit-by cannot go together with --commit-size; see 'esctl import --help'"},
      {{"completion", "tcsh"},
       "SHELL: \"tcsh\" is none of bash, zsh, fish; see 'esctl completion --help'"},
      {{"count", "--timeout", "never"},
       "--timeout: \"never\" is not a duration: it should look like 250ms, 30s, 5m, 1h, 7d or 2w; "
       "see 'esctl count --help'"}};
  for (const auto& [words, said] : cases)
    EXPECT_EQ(refusal_of(esctl, words), "esctl: " + said + "\n") << ::testing::PrintToString(words);
}

TEST(Esctl, AUsageErrorIsOneObjectForPrograms) {
  RunEsctl esctl;
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--json", "fly"},
                                                {"count", "--fly", "--json"},
                                                {"--json"},
                                                {"--json", "read"},
                                                {"count", "--json", "--timeout", "0s"}}) {
    const auto error = nlohmann::json::parse(refusal_of(esctl, words));
    EXPECT_EQ(error["error"], "usage");
    EXPECT_NE(error["message"], "");
  }
}

TEST(Esctl, AnEmptyValueIsNeverEverything) {
  RunEsctl esctl;
  const std::vector<std::vector<std::string>> cases{
      {"count", ""},
      {"count", "--query", ""},
      {"count", "--query="},
      {"read", ""},
      {"read", "--category="},
      {"read", "--all", "--since", ""},
      {"export", "--query", ""},
      {"export", "--category", ""},
      {"export", "--type", ""},
      {"export", "--tag", ""},
      {"export", "-o", ""},
      {"copy", "memory:a", "memory:b", "--query", ""},
      {"copy", "memory:a", "memory:b", ""},
      {"copy", "", "memory:b"},
      {"count", "--store", ""},
      {"append", "", "--type", "T"},
      {"append", "s", "--type", ""},
      {"append", "s", "--type", "T", "--tag", ""},
      {"append", "s", "--type", "T", "--metadata", ""},
      {"import", ""},
      {"import", "-", "--source", ""},
      {"info", ""},
      {"get", ""},
      {"streams", "--prefix", ""},
      {"verify", ""}};
  for (const auto& words : cases) {
    const auto said = refusal_of(esctl, words);
    EXPECT_NE(said.find("it is empty; give it a value"), said.npos) << said;
  }
  EXPECT_EQ(refusal_of(esctl, {"export", "--query", ""}),
            "esctl: --query: it is empty; give it a value, or leave it out; see 'esctl export "
            "--help'\n");
  EXPECT_TRUE(esctl.opened.empty());
}

TEST(Esctl, ANumberIsNeverAnythingElse) {
  RunEsctl esctl;
  for (const std::string number : {"-1", "1x", "+1", "0x10", "1.5", "18446744073709551616"}) {
    const std::vector<std::vector<std::string>> cases{{"read", "--all", "--after", number},
                                                      {"read", "s", "--after-version", number},
                                                      {"read", "--all", "--limit", number},
                                                      {"read", "--all", "--last", number},
                                                      {"export", "--limit", number},
                                                      {"subscribe", "--all", "--after", number},
                                                      {"subscribe", "--all", "--limit", number},
                                                      {"count", "--after", number},
                                                      {"streams", "--limit", number},
                                                      {"types", "--limit", number},
                                                      {"import", "f", "--commit-size", number},
                                                      {"inspect", "d", "--segment", number}};
    for (const auto& words : cases) {
      const auto said = refusal_of(esctl, words);
      EXPECT_TRUE(said.starts_with("esctl: " + words[words.size() - 2] + ": \"" + number + "\""))
          << said;
    }
    EXPECT_NE(refusal_of(esctl, {"get", number}), "");
    EXPECT_NE(refusal_of(esctl, {"get", "s@" + number}), "");
  }
  EXPECT_EQ(esctl({"read", "--all", "--limit", "010"}).code, 0);
}

TEST(Esctl, TakesGlobalOptionsBeforeAndBehindTheCommand) {
  RunEsctl esctl;
  EXPECT_EQ(esctl({"--json", "--store", "memory:a", "count"}).out, "{\"count\":0}\n");
  EXPECT_EQ(esctl({"count", "--json", "--store", "memory:b", "--timeout", "1500ms"}).code, 0);
  EXPECT_EQ(esctl.opened, (std::vector<std::string>{"memory:a", "memory:b"}));
  EXPECT_EQ(esctl.open_options.timeout, std::chrono::milliseconds(1500));
}

TEST(Esctl, LooksForTheStoreInOrder) {
  const fixtures::ScratchDirectory directory;
  RunEsctl esctl;
  esctl.environment = {{"XDG_RUNTIME_DIR", directory.path("")}};
  directory.write("esdb.sock", "");
  EXPECT_EQ(esctl({"count"}).code, 0);
  esctl.environment["ESDB_URL"] = "memory:from-environment";
  EXPECT_EQ(esctl({"count"}).code, 0);
  EXPECT_EQ(esctl({"count", "--store", "memory:given"}).code, 0);
  EXPECT_EQ(esctl.opened, (std::vector<std::string>{"unix:" + directory.path("") + "/esdb.sock",
                                                    "memory:from-environment", "memory:given"}));
}

TEST(Esctl, LooksWhereAServerListensByDefault) {
  EXPECT_EQ(default_sockets("/run/user/7"),
            (std::vector<std::string>{"/run/user/7/esdb.sock", "/run/esdb/esdb.sock"}));
  EXPECT_EQ(default_sockets(""), std::vector<std::string>{"/run/esdb/esdb.sock"});
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
  const fixtures::ScratchDirectory directory;
  RunEsctl esctl;
  EXPECT_EQ(esctl({"append", "s", "--type", "T", "--store", directory.path("new")}).code, 0);
  EXPECT_EQ(esctl.open_options.create, Create::kIfMissing);
  EXPECT_EQ(esctl.open_options.access, Access::kReadWrite);
  std::filesystem::create_directories(directory.path("old/log"));
  directory.write("old/log/00000001.seg", "");
  EXPECT_EQ(esctl({"count", "--store", directory.path("old")}).code, 0);
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
