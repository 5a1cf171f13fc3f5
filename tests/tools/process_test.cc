// The program itself: its streams, its signals, its exit code.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"
#include "tests/tools/run_esctl.h"

namespace esdb::tools {
namespace {

using testing::lines_of;

const std::string kSmall = ESDB_TEST_DATA "/small.ndjson.zst";

// What the process may do: as this one, or no more than its files' permissions say, root or not.
enum class Powers : std::uint8_t { kAll, kOfFilesAlone };

// Of what a child ends with that cannot give up root's way past permissions.
constexpr int kKeptItsPowers = 125;

// A running esctl whose output goes to a file; ended, if it still runs, with the test.
class Process {
 public:
  Process(std::vector<std::string> words, const std::string& output, Powers powers = Powers::kAll) {
    words.insert(words.begin(), ESDB_ESCTL);
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    if (powers == Powers::kOfFilesAlone && ::geteuid() == 0 &&
        (::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0 ||
         ::prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0) != 0))
      ::_exit(kKeptItsPowers);
    if (std::freopen(output.c_str(), "w", stdout) == nullptr) ::_exit(126);
    if (std::freopen((output + ".err").c_str(), "w", stderr) == nullptr) ::_exit(126);
    ::execv(ESDB_ESCTL, arguments.data());
    ::_exit(127);
  }
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void signal(int number) const { ::kill(pid_, number); }
  // The exit code, or 128 and the signal that ended it.
  int wait() {
    int status = 0;
    if (::waitpid(std::exchange(pid_, -1), &status, 0) < 0) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

class EsctlProcess : public ::testing::Test {
 protected:
  int run(std::vector<std::string> words) {
    return Process(std::move(words), directory.path("out")).wait();
  }
  int run_without_powers(std::vector<std::string> words) {
    return Process(std::move(words), directory.path("out"), Powers::kOfFilesAlone).wait();
  }
  std::string out() const { return fixtures::read_file(directory.path("out")); }
  std::string err() const { return fixtures::read_file(directory.path("out.err")); }

  fixtures::ScratchDirectory directory{};
  std::string data = directory.path("data");
};

TEST_F(EsctlProcess, WorksOnADirectoryFromOneRunToTheNext) {
  EXPECT_EQ(run({"count", "--store", data}), 4) << err();
  ASSERT_EQ(run({"append", "s-1", "--type", "T", "--data", "{}", "--store", data}), 0) << err();
  ASSERT_EQ(run({"append", "s-1", "--type", "T", "--expect", "1", "--store", data}), 0) << err();
  EXPECT_EQ(run({"append", "s-1", "--type", "T", "--expect", "1", "--store", data}), 3);
  EXPECT_EQ(run({"read", "s-1", "--json", "--store", data}), 0) << err();
  ASSERT_EQ(lines_of(out()).size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(lines_of(out())[1])["version"], 2);
  EXPECT_EQ(run({"verify", data}), 0) << err();
  EXPECT_EQ(run({"fly"}), 2);
}

// A Unix socket that takes connections and never answers; the caller closes it.
int listen_and_say_nothing(const std::string& path) {
  const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  EXPECT_EQ(::bind(listening, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  EXPECT_EQ(::listen(listening, 4), 0);
  return listening;
}

// A path that nobody may use while this lives.
class Closed {
 public:
  explicit Closed(std::string path) : path_(std::move(path)) { ::chmod(path_.c_str(), 0); }
  ~Closed() { ::chmod(path_.c_str(), 0700); }
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;

 private:
  std::string path_;
};

TEST_F(EsctlProcess, ADirectoryThatMayNotBeReadIsNoMissingStore) {
  ASSERT_EQ(run({"append", "s-1", "--type", "T", "--store", data}), 0) << err();
  const Closed closed(data);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"count", "--store", data},
                                                {"verify", data},
                                                {"inspect", data},
                                                {"append", "s-1", "--type", "T", "--store", data},
                                                {"copy", data, directory.path("b")}}) {
    const int code = run_without_powers(words);
    if (code == kKeptItsPowers) GTEST_SKIP() << "this process may read everything";
    EXPECT_EQ(code, 1) << words[0];
    EXPECT_NE(err().find("Permission denied"), std::string::npos) << err();
  }
  EXPECT_EQ(run_without_powers({"count", "--store", data}), 1);
  EXPECT_EQ(err(), "esctl: cannot look at " + data +
                       "/log: Permission denied; run esctl as the user that the store belongs "
                       "to\n");
}

TEST_F(EsctlProcess, AFileOfAStoreThatMayNotBeUsedIsNamed) {
  ASSERT_EQ(run({"append", "s-1", "--type", "T", "--store", data}), 0) << err();
  const auto segment = data + "/log/00000001.seg";
  for (const auto& path : {data + "/LOCK", data + "/log", segment, data + "/index"}) {
    const Closed closed(path);
    for (const auto* command : {"count", "append"}) {
      std::vector<std::string> words{command, "s-1", "--store", data};
      if (command == std::string("append")) words.insert(words.end(), {"--type", "T"});
      const int code = run_without_powers(words);
      if (code == kKeptItsPowers) GTEST_SKIP() << "this process may read everything";
      EXPECT_EQ(code, 1) << command;
      EXPECT_EQ(err(), "esctl: cannot read " + path +
                           ": Permission denied; run esctl as the user that the store belongs "
                           "to\n");
    }
  }
  EXPECT_EQ(run({"count", "--store", data}), 0) << err();
}

TEST_F(EsctlProcess, AStoreThatCannotBeMadeIsAnError) {
  ASSERT_EQ(run({"append", "s", "--type", "T", "--store", directory.write("file", "")}), 1);
  EXPECT_NE(err().find("/file is no directory"), std::string::npos) << err();
  const auto locked = directory.path("locked");
  std::filesystem::create_directory(locked);
  ::chmod(locked.c_str(), 0500);
  const int code =
      run_without_powers({"append", "s", "--type", "T", "--store", locked + "/new/store"});
  if (code == kKeptItsPowers) GTEST_SKIP() << "this process may write everywhere";
  EXPECT_EQ(code, 1);
  EXPECT_NE(err().find("cannot write to " + locked + ": Permission denied"), std::string::npos)
      << err();
}

TEST_F(EsctlProcess, AServerThatDoesNotAnswerIsNoMissingServer) {
  const auto path = directory.path("esdb.sock");
  const int listening = listen_and_say_nothing(path);
  EXPECT_EQ(run({"ping", "--store", "unix:" + path, "--timeout", "300ms", "--json"}), 1) << err();
  EXPECT_EQ(nlohmann::json::parse(err())["error"], "unavailable");
  ::close(listening);
  EXPECT_EQ(run({"ping", "--store", "unix:" + path, "--timeout", "300ms"}), 4) << err();
}

TEST_F(EsctlProcess, ASocketThatMayNotBeUsedIsNoMissingServer) {
  const auto path = directory.path("esdb.sock");
  const int listening = listen_and_say_nothing(path);
  {
    const Closed closed(path);
    const int code = run_without_powers({"ping", "--json", "--store", "unix:" + path});
    ::close(listening);
    if (code == kKeptItsPowers) GTEST_SKIP() << "this process may connect to everything";
    EXPECT_EQ(code, 1);
    const auto error = nlohmann::json::parse(err());
    EXPECT_EQ(error["error"], "denied");
    EXPECT_NE(err().find("connect as the user that the server runs as"), std::string::npos)
        << err();
  }
  EXPECT_EQ(run({"ping", "--store", "unix:" + path}), 4) << err();
}

TEST_F(EsctlProcess, AnImportKilledAtAnyMomentGoesOn) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int kills = 0; kills < 10; ++kills) {
    Process import({"import", kSmall, "--commit-by", "correlationId", "--store", data},
                   directory.path("import"));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    import.signal(SIGKILL);
    import.wait();
  }
  ASSERT_EQ(run({"import", kSmall, "--commit-by", "correlationId", "--store", data}), 0) << err();
  EXPECT_EQ(run({"count", "--store", data}), 0) << err();
  EXPECT_EQ(out(), "2010\n");
  EXPECT_EQ(run({"verify", data}), 0) << out() << err();
  // Event by event what one run makes of it.
  const auto whole = directory.path("whole");
  ASSERT_EQ(run({"import", kSmall, "--commit-by", "correlationId", "--store", whole}), 0) << err();
  const auto exported = [&](const std::string& store) {
    std::vector<std::string> events;
    EXPECT_EQ(run({"export", "--store", store}), 0) << err();
    for (const auto& line : lines_of(out())) {
      auto event = nlohmann::json::parse(line);
      event.erase("committed");
      events.push_back(event.dump());
    }
    return events;
  };
  EXPECT_EQ(exported(data), exported(whole));
}

TEST_F(EsctlProcess, WhatIsPrintedAndDoesNotArriveIsAnError) {
  ASSERT_EQ(run({"append", "s", "--type", "T", "--store", data}), 0) << err();
  const auto lines = directory.write("lines", R"({"stream":"s","type":"T"})"
                                              "\n");
  // A link, so that the errors beside it go to a file.
  const auto full = directory.path("full");
  std::filesystem::create_symlink("/dev/full", full);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"count", "--store", data},
                                                {"count", "--json", "--store", data},
                                                {"read", "--all", "--store", data},
                                                {"stats", "--store", data},
                                                {"verify", data},
                                                {"inspect", data},
                                                {"import", lines, "--store", data},
                                                {"copy", data, directory.path("other"), "--json"},
                                                {"completion", "bash"},
                                                {"--help"}}) {
    EXPECT_EQ(Process(words, full).wait(), 1) << ::testing::PrintToString(words);
    EXPECT_NE(fixtures::read_file(full + ".err").find("cannot write to the output"),
              std::string::npos)
        << ::testing::PrintToString(words);
  }
  const std::vector<std::string> append{"append", "t", "--type", "T", "--store", data};
  EXPECT_EQ(Process(append, full).wait(), 1);
  EXPECT_NE(fixtures::read_file(full + ".err").find("the event is written, at position 3"),
            std::string::npos)
      << fixtures::read_file(full + ".err");
  EXPECT_EQ(run({"count", "t", "--store", data}), 0);
  EXPECT_EQ(out(), "1\n");
}

TEST_F(EsctlProcess, CopiesOneDirectoryIntoAnother) {
  ASSERT_EQ(run({"import", kSmall, "--commit-by", "correlationId", "--store", data}), 0) << err();
  const auto other = directory.path("other");
  ASSERT_EQ(run({"copy", data, other}), 0) << err();
  ASSERT_EQ(run({"copy", data, other}), 0) << err();
  EXPECT_EQ(out(), "nothing new\n");
  EXPECT_EQ(run({"count", "--store", other}), 0);
  EXPECT_EQ(out(), "2010\n");
  const auto same = directory.path("same");
  std::filesystem::create_symlink(data, same);
  for (const auto& to : {data, data + "/", data + "/../data", same}) {
    EXPECT_EQ(run({"copy", data, to}), 2) << to;
    EXPECT_NE(err().find("FROM and TO are the same store"), std::string::npos) << err();
  }
}

}  // namespace
}  // namespace esdb::tools
