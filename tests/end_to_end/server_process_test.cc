// esdb-server as its operator meets it: sockets, locks, settings, signals.
#include "tests/end_to_end/server_process.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>

#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/interrupted_import.h"
#include "tests/end_to_end/ledger.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/recount.h"
#include "tests/end_to_end/writer_process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

struct stat status_of(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) found = {};
  return found;
}

Outcome run_server(std::vector<std::string> words) {
  words.insert(words.begin(), ESDB_SERVER);
  return run({.words = std::move(words)});
}

TEST(ServerProcess, ListensByDefaultAtASocketForItsOwnerAlone) {
  const fixtures::ScratchDirectory scratch;
  const std::pair<std::string, std::string> runtime{"XDG_RUNTIME_DIR", scratch.path("")};
  Process server(
      {.words = {ESDB_SERVER, "--data", scratch.path("data")}, .environment = {runtime}});
  auto ping = esctl({"ping", "--timeout", "5s"});
  ping.environment = {runtime};
  auto answer = run(ping);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!answer.ok() && server.running() && std::chrono::steady_clock::now() < until)
    answer = run(ping);
  ASSERT_TRUE(answer.ok()) << answer.err << server.err();
  const auto socket = status_of(scratch.path("esdb.sock"));
  EXPECT_TRUE(S_ISSOCK(socket.st_mode));
  EXPECT_EQ(socket.st_mode & 07777, 0600U);
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), Ended{.code = 0}) << server.err();
  EXPECT_EQ(status_of(scratch.path("esdb.sock")).st_mode, 0U) << "the socket is left behind";
}

TEST(ServerProcess, TakesThePlaceOfASocketThatAKilledOneLeft) {
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch);
  ASSERT_TRUE(server.start()) << server.log();
  server.kill();
  ASSERT_TRUE(S_ISSOCK(status_of(server.socket()).st_mode));
  ASSERT_TRUE(server.start()) << server.log();
  EXPECT_TRUE(run_esctl({"ping", "--store", server.url()}).ok());
}

TEST(ServerProcess, LeavesTheSocketOfAnotherServerAlone) {
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch);
  ASSERT_TRUE(server.start()) << server.log();
  const auto second = run_server({"--data", scratch.path("other"), "--listen", server.url()});
  EXPECT_EQ(second.ended, Ended{.code = 1}) << second.err;
  EXPECT_NE(second.err.find("another process listens there"), std::string::npos) << second.err;
  EXPECT_TRUE(run_esctl({"ping", "--store", server.url()}).ok());
}

TEST(ServerProcess, LeavesAFileThatIsNoSocketAlone) {
  const fixtures::ScratchDirectory scratch;
  const auto file = scratch.write("esdb.sock", "precious");
  const auto server = run_server({"--data", scratch.path("data"), "--listen", "unix:" + file});
  EXPECT_EQ(server.ended, Ended{.code = 1}) << server.err;
  EXPECT_EQ(fixtures::read_file(file), "precious");
}

TEST(ServerProcess, OfADirectoryThatAnotherServesSaysWhoseItIs) {
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch);
  ASSERT_TRUE(server.start()) << server.log();
  const auto pid = std::to_string(server.process().pid());
  const auto second =
      run_server({"--data", server.data(), "--listen", "unix:" + scratch.path("second.sock")});
  EXPECT_EQ(second.ended, Ended{.code = 1}) << second.err;
  EXPECT_NE(second.err.find(pid), std::string::npos) << second.err;
  EXPECT_NE(second.err.find(server.url()), std::string::npos) << second.err;
  const auto direct = run_esctl({"stats", "--store", server.data(), "--json"});
  EXPECT_EQ(direct.ended, Ended{.code = 1}) << direct.err;
  EXPECT_EQ(raw_value(direct.err, "error"), "\"locked\"") << direct.err;
  EXPECT_NE(direct.err.find(server.url()), std::string::npos) << direct.err;
  EXPECT_TRUE(run_esctl({"ping", "--store", server.url()}).ok());
}

TEST(ServerProcess, StopsInTimeUnderLoadWithAllThatWasAcknowledged) {
  auto random = random_from_printed_seed();
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch);
  ASSERT_TRUE(server.start()) << server.log();
  Ledger ledger;
  WriterProcess writer(server.url(), {.seed = random(), .threads = 8});
  ASSERT_TRUE(writer.listen_until(ledger, 200)) << writer.process().err();
  const auto begin = std::chrono::steady_clock::now();
  server.process().signal(SIGTERM);
  // Its answers are taken all the while, as a writer that stands still appends nothing.
  while (server.process().running() && std::chrono::steady_clock::now() - begin < kPatience)
    ASSERT_TRUE(writer.listen(ledger, std::chrono::milliseconds(10))) << writer.process().err();
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(server.process().wait(), Ended{.code = 0}) << server.log();
  EXPECT_LT(took, std::chrono::seconds(5));
  writer.process().kill();
  writer.listen_to_the_end(ledger);
  auto store = open(server.data());
  ASSERT_TRUE(store.has_value()) << store.error().message;
  EXPECT_EQ(disagreement(**store, ledger), "");
}

TEST(ServerProcess, SaysWhetherItsSettingsAreSound) {
  const fixtures::ScratchDirectory scratch;
  const auto good = scratch.write("good.toml", "data = \"" + scratch.path("data") +
                                                   "\"\nmemory = \"64MiB\"\n"
                                                   "listen = [\"unix:" +
                                                   scratch.path("x.sock") + "\"]\n");
  const auto sound = run_server({"--config", good, "--check-config"});
  EXPECT_TRUE(sound.ok()) << sound.err;
  EXPECT_EQ(status_of(scratch.path("data")).st_mode, 0U) << "checking made the store";
  const auto bad =
      scratch.write("bad.toml", "data = \"" + scratch.path("data") + "\"\nmemorry = \"64MiB\"\n");
  const auto unsound = run_server({"--config", bad, "--check-config"});
  EXPECT_EQ(unsound.ended, Ended{.code = 2});
  EXPECT_NE(unsound.err.find("bad.toml:2: memorry"), std::string::npos) << unsound.err;
  const auto small = run_server({"--data", "x", "--memory", "1MiB", "--check-config"});
  EXPECT_EQ(small.ended, Ended{.code = 2});
  EXPECT_NE(small.err.find("48MiB"), std::string::npos) << small.err;
}

TEST(ServerProcess, TellsWhatIsWrongWithItsCommandLine) {
  const std::pair<std::vector<std::string>, std::string> wrong[] = {
      {{"--dat", "x"}, "there is no option \"--dat\""},
      {{"--data", "x", "y"}, "\"y\" is one argument too many"},
      {{"--data"}, "--data needs a value behind it"},
      {{"--data", "x", "--data", "y"}, "--data is given more than once"},
      {{"--data", "x", "--check-config=maybe"}, "--check-config takes no value"}};
  for (const auto& [words, what] : wrong) {
    const auto answer = run_server(words);
    EXPECT_EQ(answer.ended, Ended{.code = 2}) << what;
    EXPECT_EQ(answer.err, "esdb-server: " + what + "; see 'esdb-server --help'\n");
    EXPECT_EQ(answer.out, "");
  }
  const auto help = run_server({"--help"});
  EXPECT_TRUE(help.ok()) << help.err;
  EXPECT_NE(help.out.find("--check-config"), std::string::npos) << help.out;
}

TEST(ServerProcess, OfAFileInPlaceOfADirectoryAsksForAnother) {
  const fixtures::ScratchDirectory scratch;
  const auto answer = run_server(
      {"--data", scratch.write("file", "text"), "--listen", "unix:" + scratch.path("x.sock")});
  EXPECT_EQ(answer.ended, Ended{.code = 2}) << answer.err;
  EXPECT_NE(answer.err.find("give another directory"), std::string::npos) << answer.err;
}

TEST(ServerProcess, ServesLoopbackAndNoOtherNetwork) {
  const fixtures::ScratchDirectory scratch;
  for (const auto* endpoint : {"tcp:0.0.0.0:0", "tcp:192.0.2.1:3732", "tcp:[::]:0"}) {
    const auto refused = run_server({"--data", scratch.path("data"), "--listen", endpoint});
    EXPECT_EQ(refused.ended, Ended{.code = 2}) << endpoint << ": " << refused.err;
    EXPECT_NE(refused.err.find("loopback"), std::string::npos) << refused.err;
  }
  ServerProcess server(scratch, {.listen = {"tcp:127.0.0.1:0"}});
  ASSERT_TRUE(server.start()) << server.log();
  const auto url = server.tcp_url();
  ASSERT_TRUE(url.has_value()) << server.log();
  const auto appended = run_esctl({"append", "a-1", "--type", "T", "--store", *url});
  EXPECT_TRUE(appended.ok()) << appended.err;
  EXPECT_EQ(run_esctl({"count", "--store", *url}).out, "1\n");
}

}  // namespace
}  // namespace esdb::end_to_end
