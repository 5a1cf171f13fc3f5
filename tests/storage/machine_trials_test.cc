#include "storage/machine_trials.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

TEST(MachineTrials, TryEverythingAndLeaveNothing) {
  const fixtures::ScratchDirectory scratch;
  MachineFacts facts{.directory = scratch.path()};
  try_machine(facts, 20);
  for (const auto& tried : {facts.direct_io, facts.durable_write, facts.fallocate, facts.io_uring,
                            facts.address_space, facts.monotonic_clock})
    EXPECT_TRUE(tried.has_value());
  EXPECT_EQ(facts.monotonic_clock, 0);
  EXPECT_EQ(facts.write_times.size(), 20U);
  EXPECT_TRUE(std::ranges::is_sorted(facts.write_times));
  EXPECT_GT(facts.write_times.front().count(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

TEST(MachineTrials, TryWhatNeedsNoFileWhereNoneCanBeMade) {
  MachineFacts facts{.directory = "/proc/self"};
  try_machine(facts, 20);
  EXPECT_TRUE(facts.io_uring.has_value());
  EXPECT_FALSE(facts.direct_io.has_value());
  EXPECT_TRUE(facts.write_times.empty());
}

}  // namespace
}  // namespace esdb::storage
