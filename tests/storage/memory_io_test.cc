#include "storage/memory_io.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

TEST(MemoryIo, TimeIsTheGivenClocks) {
  esdb::testing::ManualClock clock;
  MemoryIo io(&clock);
  const auto before = io.now();
  clock.advance(std::chrono::hours(1));
  EXPECT_EQ(io.now() - before, std::chrono::hours(1));
}

TEST(MemoryIo, CommitTimesFollowTheGivenClockAndNeverGoBack) {
  esdb::testing::ManualClock clock;
  MemoryIo io(&clock);
  LogDriver driver(io, log_options("memory"));
  ASSERT_EQ(driver.open(), "");
  ASSERT_EQ(driver.append("s", "1"), "");
  EXPECT_EQ(driver.log().last_commit_time(), clock.now());
  clock.advance(-std::chrono::hours(1));
  ASSERT_EQ(driver.append("s", "2"), "");
  EXPECT_EQ(driver.log().last_commit_time(), clock.now() + std::chrono::hours(1));
}

TEST(MemoryIo, StoresInTwoMachinesKnowNothingOfEachOther) {
  MemoryIo first, second;
  ASSERT_TRUE(first.open("a", OpenMode::kCreate).has_value());
  EXPECT_FALSE(second.exists("a").value());
}

TEST(MemoryIo, AFileThatGrowsKeepsWhatItHolds) {
  MemoryIo io;
  auto file = io.open("a", OpenMode::kCreate).value();
  const std::array<std::byte, 4> bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  ASSERT_TRUE(file->write_durable(0, bytes));
  ASSERT_TRUE(file->write_durable(100'000, bytes));
  std::array<std::byte, 4> back{};
  EXPECT_EQ(file->read(0, back).value(), 4U);
  EXPECT_EQ(back, bytes);
  EXPECT_EQ(file->read(50'000, back).value(), 4U);
  EXPECT_EQ(back, (std::array<std::byte, 4>{}));
}

}  // namespace
}  // namespace esdb::storage
