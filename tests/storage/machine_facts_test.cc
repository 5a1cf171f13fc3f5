#include "storage/machine_facts.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "storage/embedded_store.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

namespace fs = std::filesystem;

// A system that is made up: its /proc and /sys lie in a scratch directory.
class MachineFactsTest : public ::testing::Test {
 protected:
  MachineFactsTest() {
    for (const auto* path :
         {"proc/self", "proc/sys/kernel", "sys/dev/block", "sys/devices/disk/queue",
          "sys/devices/disk/part1", "sys/devices/system/clocksource/clocksource0", "here/deep er"})
      fs::create_directories(scratch_.path(path));
    fs::create_directory_symlink("../../devices/disk/part1", scratch_.path("sys/dev/block/8:1"));
    scratch_.write("sys/devices/disk/queue/write_cache", "write back\n");
    scratch_.write("sys/devices/disk/queue/fua", "1\n");
    scratch_.write("sys/devices/disk/queue/rotational", "0\n");
    scratch_.write("sys/devices/disk/queue/physical_block_size", "4096\n");
    scratch_.write("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
    scratch_.write("proc/sys/kernel/io_uring_disabled", "2\n");
    mount(
        "1 0 0:20 / / rw - tmpfs none rw\n"
        "2 1 8:1 / " +
        scratch_.path("here") + " rw,noatime shared:1 - ext4 /dev/disk1 rw,barrier=0\n");
  }
  void mount(const std::string& lines) { scratch_.write("proc/self/mountinfo", lines); }
  MachineFacts facts(const std::string& directory) {
    return read_facts(directory, {.sys = scratch_.path("sys"), .proc = scratch_.path("proc")});
  }

  const fixtures::ScratchDirectory scratch_{};
};

TEST_F(MachineFactsTest, AreThoseOfTheMountThatHoldsTheDirectory) {
  const auto found = facts(scratch_.path("here/deep er"));
  EXPECT_EQ(found.file_system, "ext4");
  EXPECT_EQ(found.mounted_at, scratch_.path("here"));
  EXPECT_EQ(found.mount, (std::vector<std::string>{"rw", "noatime", "rw", "barrier=0"}));
  EXPECT_EQ(facts(scratch_.path("proc")).file_system, "tmpfs");
  EXPECT_GT(found.all_bytes, 0U);
  EXPECT_NE(found.f_type, 0);
}

TEST_F(MachineFactsTest, OfADirectoryThatIsNotThereAreThoseOfTheNearestOne) {
  const auto found = facts(scratch_.path("here/not/yet"));
  EXPECT_EQ(found.directory, scratch_.path("here"));
  EXPECT_EQ(found.file_system, "ext4");
}

TEST_F(MachineFactsTest, FindAMountWhoseNameHasASpace) {
  mount("2 1 8:1 / " + scratch_.path("here") + "/deep\\040er rw - xfs /dev/disk1 rw\n");
  EXPECT_EQ(facts(scratch_.path("here/deep er")).file_system, "xfs");
  EXPECT_EQ(facts(scratch_.path("here")).file_system, "");
}

TEST_F(MachineFactsTest, OfAPartitionAreThoseOfItsDisk) {
  const auto found = facts(scratch_.path("here"));
  EXPECT_EQ(found.device, "part1");
  EXPECT_EQ(found.write_cache, "write back");
  EXPECT_EQ(found.fua, true);
  EXPECT_EQ(found.rotational, false);
  EXPECT_EQ(found.physical_block, 4096U);
}

TEST_F(MachineFactsTest, NameNoDeviceWhereThereIsNone) {
  const auto found = facts(scratch_.path("proc"));
  EXPECT_EQ(found.device, "");
  EXPECT_FALSE(found.fua.has_value());
}

TEST_F(MachineFactsTest, TellTheClockAndWhatTheKernelAllows) {
  const auto found = facts(scratch_.path("here"));
  EXPECT_EQ(found.clock_source, "tsc");
  EXPECT_EQ(found.io_uring_disabled, 2);
  EXPECT_GT(found.files_max, 0U);
  EXPECT_GT(found.wall_clock.time_since_epoch().count(), 0);
}

TEST_F(MachineFactsTest, TellTheWriteUnitOfTheStoreThatIsThere) {
  EXPECT_EQ(facts(scratch_.path("here")).write_unit, 0U);
  open_directory(scratch_.path("here"), {.write_unit = 8192})->reset();
  EXPECT_EQ(facts(scratch_.path("here")).write_unit, 8192U);
}

}  // namespace
}  // namespace esdb::storage
