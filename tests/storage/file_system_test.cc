#include "storage/file_system.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include <filesystem>

#include "storage/embedded_store.h"

namespace esdb::storage {
namespace {

TEST(FileSystem, ObjectsToWhatIsNoPlaceForAStore) {
  EXPECT_NE(file_system_objection(0x6969).find("network"), std::string_view::npos);
  EXPECT_NE(file_system_objection(0xfe534d42).find("network"), std::string_view::npos);
  EXPECT_NE(file_system_objection(0x65735546).find("user space"), std::string_view::npos);
  EXPECT_NE(file_system_objection(0x01021994).find("memory"), std::string_view::npos);
  EXPECT_NE(file_system_objection(0x794c7630).find("container"), std::string_view::npos);
  EXPECT_EQ(file_system_objection(0xef53), "") << "ext4";
  EXPECT_EQ(file_system_objection(0x58465342), "") << "xfs";
}

TEST(FileSystem, SaysNothingOfADirectoryThatIsNotThere) {
  EXPECT_EQ(file_system_warning("/nowhere/at/all"), "");
}

TEST(FileSystem, AStoreInMemoryIsWarnedOfThroughItsLog) {
  struct statfs found {};
  if (::statfs("/dev/shm", &found) != 0 || found.f_type != 0x01021994)
    GTEST_SKIP() << "/dev/shm is no tmpfs here";
  std::string name = "/dev/shm/esdb-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  std::string said;
  OpenOptions options{.memory = kMemoryMin, .segment_bytes = kSegmentBytesMin};
  options.event_bytes_max = options.append_bytes_max = kSegmentBytesMin / 4;
  options.log = [&](std::string_view line) { said += line; };
  {
    auto store = open_directory(name + "/store", options);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_NE(said.find(name + "/store lies in memory"), std::string::npos) << said;
  }
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace esdb::storage
