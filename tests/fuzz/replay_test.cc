// Every fuzzer's corpus, and what it once stumbled over, through the same function that the fuzzer
// calls: no input is forgotten, and every compiler takes them.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

// One for each target: the build gives LLVMFuzzerTestOneInput these names.
extern "C" {
int fuzz_append(const std::uint8_t* data, std::size_t size);
int fuzz_configuration(const std::uint8_t* data, std::size_t size);
int fuzz_event(const std::uint8_t* data, std::size_t size);
int fuzz_frame(const std::uint8_t* data, std::size_t size);
int fuzz_import(const std::uint8_t* data, std::size_t size);
int fuzz_json_line(const std::uint8_t* data, std::size_t size);
int fuzz_line_reader(const std::uint8_t* data, std::size_t size);
int fuzz_query(const std::uint8_t* data, std::size_t size);
int fuzz_rpc(const std::uint8_t* data, std::size_t size);
int fuzz_store(const std::uint8_t* data, std::size_t size);
}

namespace esdb::fuzz {
namespace {

struct Target {
  const char* name;
  int (*take)(const std::uint8_t*, std::size_t);
};
constexpr Target kTargets[] = {
    {"append", fuzz_append},
    {"configuration", fuzz_configuration},
    {"event", fuzz_event},
    {"frame", fuzz_frame},
    {"import", fuzz_import},
    {"json_line", fuzz_json_line},
    {"line_reader", fuzz_line_reader},
    {"query", fuzz_query},
    {"rpc", fuzz_rpc},
    {"store", fuzz_store},
};
constexpr std::size_t kInputsMin = 10;

// A target stops the process where its property does not hold: say at which input.
char replayed[512];
extern "C" void tell_input(int signal) {
  static_cast<void>(std::fprintf(stderr, "while replaying %s\n", replayed));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::vector<std::filesystem::path> corpus_of(const char* name) {
  std::vector<std::filesystem::path> files;
  const auto folder = std::filesystem::path(ESDB_SOURCE_DIR) / "tests/fuzz/corpus" / name;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

class Replay : public testing::TestWithParam<Target> {};

TEST_P(Replay, TakesEveryInputOfTheCorpus) {
  const auto files = corpus_of(GetParam().name);
  ASSERT_GE(files.size(), kInputsMin);
  const auto before = std::signal(SIGABRT, tell_input);
  for (const auto& path : files) {
    std::snprintf(replayed, sizeof(replayed), "%s", path.c_str());
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
    // Of exactly its size, so that reading behind it is seen.
    const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
    EXPECT_EQ(GetParam().take(input.data(), input.size()), 0);
  }
  std::signal(SIGABRT, before);
  std::cout << "replayed " << files.size() << " inputs of " << GetParam().name << "\n";
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, testing::ValuesIn(kTargets),
                         [](const auto& target) { return target.param.name; });

}  // namespace
}  // namespace esdb::fuzz
