#include "storage/uring_io.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "storage/aligned_bytes.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

class Uring : public ::testing::Test {
 protected:
  void SetUp() override {
    if (UringIo::unavailable() != 0) GTEST_SKIP() << "no io_uring here";
  }
  fixtures::ScratchDirectory directory_;
  UringIo io_;
};

TEST_F(Uring, AnErrorComesBackOnTheVeryRequest) {
  auto file = io_.open(directory_.path() + "/file", OpenMode::kCreate).value();
  ASSERT_TRUE(file->allocate_zeroed(64 * 1024));
  file.reset();
  file = io_.open(directory_.path() + "/file", OpenMode::kRead).value();  // cannot be written
  auto ring = io_.make_ring(4, -1).value();
  AlignedBytes block(4096);
  ring->write_durable(*file, 0, block.bytes(), 1);
  ring->read(*file, 0, block.bytes(), 2);
  ring->submit();
  std::array<std::int64_t, 3> results{};
  for (int reaped = 0; reaped < 2;) {
    ASSERT_TRUE(ring->wait());
    std::array<Ring::Done, 4> done;
    const auto count = ring->reap(done);
    for (std::size_t i = 0; i < count; ++i) results[done[i].token] = done[i].result;
    reaped += static_cast<int>(count);
  }
  EXPECT_EQ(results[1], -EBADF);
  EXPECT_EQ(results[2], 4096);
}

TEST_F(Uring, NothingIsHandedOverBeforeItIsSubmitted) {
  auto file = io_.open(directory_.path() + "/file", OpenMode::kCreate).value();
  ASSERT_TRUE(file->allocate_zeroed(64 * 1024));
  auto ring = io_.make_ring(4, -1).value();
  AlignedBytes block(4096);
  block.bytes()[0] = std::byte{1};
  ring->write_durable(*file, 0, block.bytes(), 1);
  AlignedBytes back(4096);
  EXPECT_EQ(file->read(0, back.bytes()).value(), 4096U);
  EXPECT_EQ(back.bytes()[0], std::byte{0});
  ring->submit();
  EXPECT_TRUE(ring->wait());
}

TEST_F(Uring, WhatIsInFlightHasEndedWhenTheRingGoes) {
  auto file = io_.open(directory_.path() + "/file", OpenMode::kCreate).value();
  ASSERT_TRUE(file->allocate_zeroed(64 * 1024));
  auto ring = io_.make_ring(4, -1).value();
  AlignedBytes block(4096);
  block.bytes()[0] = std::byte{1};
  ring->write_durable(*file, 0, block.bytes(), 1);
  ring->submit();
  ring.reset();
  AlignedBytes back(4096);
  EXPECT_EQ(file->read_device(0, back.bytes()).value(), 4096U);
  EXPECT_EQ(back.bytes()[0], std::byte{1});
}

}  // namespace
}  // namespace esdb::storage
