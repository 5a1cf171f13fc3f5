#include "storage/sorted_runs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/fixtures/file_size_limit.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kMemory = 1;  // the smallest blocks
using Rows = std::vector<std::pair<std::string, std::string>>;

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct ExternalSort : ::testing::Test {
  Result<void> write_run(const std::map<std::string, std::string>& run) {
    for (const auto& [key, value] : run)
      if (auto ok = runs->add(bytes_of(key), bytes_of(value)); !ok) return ok;
    return runs->end_run();
  }
  Rows walk() {
    Rows rows;
    for (runs->begin_walk().value(); !runs->at_end(); runs->next().value())
      rows.emplace_back(text_of(runs->key()), text_of(runs->value()));
    return rows;
  }
  // The file has no name, but this process has it open.
  std::string path() const {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
      if (std::filesystem::read_symlink(entry).string().find("/sorting.") != std::string::npos)
        return entry.path();
    return {};
  }

  fixtures::ScratchDirectory directory;
  std::unique_ptr<SortedRuns> runs = SortedRuns::make(directory.path(), 7, kMemory).value();
};

TEST_F(ExternalSort, WalksRowsOfAnySizeInTheOrderOfKeysAndOfRuns) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  Rows all;
  for (int run = 0; run < 37; ++run) {
    std::map<std::string, std::string> rows;
    for (auto left = random() % 800; left > 0; --left) {
      std::string key = std::to_string(random() % 2'000);
      key.insert(0, random() % 300, 'k');
      const std::size_t size = random() % 50 == 0 ? random() % 100'000 : random() % 40;
      rows[key] = std::string(size, static_cast<char>(random()));
    }
    write_run(rows).value();  // some have no row
    all.insert(all.end(), rows.begin(), rows.end());
  }
  // Runs were added in their order, and the sort keeps it.
  std::ranges::stable_sort(all, {}, &Rows::value_type::first);
  EXPECT_GT(runs->bytes(), 4 * SortedRuns::kBlockBytesLeast);
  EXPECT_EQ(walk(), all);
}

TEST_F(ExternalSort, OfNothingGivesNothing) { EXPECT_TRUE(walk().empty()); }

TEST_F(ExternalSort, LeavesNothingOfARunThatFoundNoRoom) {
  write_run({{"a", "1"}, {"c", "3"}}).value();
  const auto before = runs->bytes();
  {
    const fixtures::FileSizeLimit limit(before + SortedRuns::kBlockBytesLeast);
    const auto full = write_run({{"b", std::string(3 * SortedRuns::kBlockBytesLeast, 'x')}});
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, ErrorCode::kDiskFull);
  }
  runs->abandon_run();
  EXPECT_EQ(runs->bytes(), before);
  write_run({{"b", "2"}}).value();
  EXPECT_EQ(walk(), (Rows{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
}

// As the system's default has it: the signal would end this process.
TEST_F(ExternalSort, RaisesNoSignalWhereAFileMayNotGrow) {
  const auto full = [&] {
    const fixtures::FileSizeLimit limit(1, SIG_DFL);
    return write_run({{"a", "1"}});
  }();
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kDiskFull);
}

TEST_F(ExternalSort, TellsADamagedBlock) {
  for (std::uint64_t at = 0; at < 40; at += 3) {
    runs = SortedRuns::make(directory.path(), 7, kMemory).value();
    write_run({{"key", "a value of some bytes"}}).value();
    ASSERT_LT(at, runs->bytes());
    const int fd = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    char byte = 0;
    ASSERT_EQ(::pread(fd, &byte, 1, static_cast<off_t>(at)), 1);
    byte = static_cast<char>(byte ^ 4);
    ASSERT_EQ(::pwrite(fd, &byte, 1, static_cast<off_t>(at)), 1);
    ::close(fd);
    const auto begun = runs->begin_walk();
    ASSERT_FALSE(begun) << "byte " << at;
    EXPECT_EQ(begun.error().code, ErrorCode::kUnavailable);
  }
}

TEST_F(ExternalSort, LeavesNoFileBehind) {
  write_run({{"a", "1"}}).value();
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace esdb::storage
