#include "storage/posix_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "storage/uring_io.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

TEST(PosixIo, BlocksAreAtLeastFourKiBAndAligned) {
  fixtures::ScratchDirectory directory;
  PosixIo io;
  const auto blocks = io.block_sizes(directory.path());
  EXPECT_GE(blocks.physical, 4096U);
  EXPECT_GT(blocks.alignment, 0U);
  EXPECT_EQ(blocks.physical % blocks.alignment, 0U);
}

TEST(PosixIo, DirectoriesAndFilesAreTheOwnersAlone) {
  fixtures::ScratchDirectory directory;
  PosixIo io;
  const auto path = directory.path() + "/a/b";
  ASSERT_TRUE(io.make_directory(path));
  ASSERT_TRUE(io.make_directory(path));
  ASSERT_TRUE(io.open(path + "/file", OpenMode::kCreate).has_value());
  struct stat found {};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700U);
  ASSERT_EQ(::stat((path + "/file").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
}

TEST(PosixIo, DescriptorsAreClosedOnExecAndAboveTheStandardOnes) {
  fixtures::ScratchDirectory directory;
  PosixIo io;
  const int saved = ::dup(0);
  ::close(0);
  auto file = io.open(directory.path() + "/file", OpenMode::kCreate).value();
  ::dup2(saved, 0);
  ::close(saved);
  const auto& posix = dynamic_cast<const PosixFile&>(*file);
  for (const int fd : {posix.read_descriptor(), posix.write_descriptor()}) {
    EXPECT_GT(fd, 2);
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
}

TEST(PosixIo, AWaitForALockEndsWhenItIsFree) {
  fixtures::ScratchDirectory directory;
  PosixIo io;
  auto first = io.open(directory.path() + "/file", OpenMode::kCreate).value();
  auto second = io.open(directory.path() + "/file", OpenMode::kReadWrite).value();
  ASSERT_TRUE(first->lock(LockMode::kExclusive, {}).value());
  std::jthread releases([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    first.reset();
  });
  EXPECT_TRUE(second->lock(LockMode::kExclusive, std::chrono::seconds(30)).value());
}

TEST(PosixIo, WhatHoldsNoFilesSaysWhy) {
  PosixIo io;
  EXPECT_EQ(io.list("/nowhere/at/all").error(), IoError{ENOENT});
  EXPECT_EQ(io.open("/nowhere/at/all", OpenMode::kCreate).error(), IoError{ENOENT});
  EXPECT_EQ(io.remove("/nowhere/at/all").error(), IoError{ENOENT});
}

TEST(DirectoryIo, IsUringWhereThereIsOne) {
  std::string said;
  const auto io = make_directory_io([&](std::string_view line) { said = line; });
  EXPECT_EQ(io->name() == "uring", UringIo::unavailable() == 0);
  EXPECT_EQ(said.empty(), UringIo::unavailable() == 0);
}

}  // namespace
}  // namespace esdb::storage
