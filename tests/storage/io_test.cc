// What every Io does alike, whatever it runs on.
#include "storage/io.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "storage/aligned_bytes.h"
#include "storage/memory_io.h"
#include "storage/posix_io.h"
#include "storage/uring_io.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

class EveryIo : public ::testing::TestWithParam<std::string> {
 protected:
  EveryIo() : directory_(scratch_.path() + "/store") {
    if (GetParam() == "memory") io_ = std::make_unique<MemoryIo>();
    if (GetParam() == "posix") io_ = std::make_unique<PosixIo>();
    if (GetParam() == "uring") io_ = std::make_unique<UringIo>();
  }
  void SetUp() override {
    if (GetParam() == "uring" && UringIo::unavailable() != 0) GTEST_SKIP() << "no io_uring here";
    ASSERT_TRUE(io_->make_directory(directory_));
  }
  std::unique_ptr<File> make(const std::string& name, std::uint64_t bytes) {
    auto file = io_->open(directory_ + "/" + name, OpenMode::kCreate);
    EXPECT_TRUE(file.has_value());
    EXPECT_TRUE((*file)->allocate_zeroed(bytes));
    return std::move(*file);
  }

  fixtures::ScratchDirectory scratch_;
  const std::string directory_;
  std::unique_ptr<Io> io_;
};

INSTANTIATE_TEST_SUITE_P(Io, EveryIo, ::testing::Values("memory", "posix", "uring"),
                         [](const auto& instance) { return instance.param; });

TEST_P(EveryIo, SaysItsName) { EXPECT_EQ(io_->name(), GetParam()); }

TEST_P(EveryIo, AFileIsMadeOnceAndFoundAgain) {
  EXPECT_EQ(io_->open(directory_ + "/a", OpenMode::kRead).error(), IoError{ENOENT});
  EXPECT_TRUE(io_->open(directory_ + "/a", OpenMode::kCreate).has_value());
  EXPECT_EQ(io_->open(directory_ + "/a", OpenMode::kCreate).error(), IoError{EEXIST});
  EXPECT_TRUE(io_->open(directory_ + "/a", OpenMode::kRead).has_value());
  EXPECT_TRUE(io_->exists(directory_ + "/a").value());
  EXPECT_FALSE(io_->exists(directory_ + "/b").value());
  EXPECT_EQ(io_->list(directory_).value(), std::vector<std::string>{"a"});
  EXPECT_TRUE(io_->rename(directory_ + "/a", directory_ + "/b"));
  EXPECT_EQ(io_->list(directory_).value(), std::vector<std::string>{"b"});
  EXPECT_TRUE(io_->remove(directory_ + "/b"));
  EXPECT_TRUE(io_->list(directory_).value().empty());
  EXPECT_TRUE(io_->sync_directory(directory_));
}

TEST_P(EveryIo, AllocatedSpaceIsZero) {
  auto file = make("a", 300 * 1024);
  EXPECT_EQ(file->size().value(), 300U * 1024);
  AlignedBytes bytes(300 * 1024);
  bytes.bytes()[5] = std::byte{1};
  EXPECT_EQ(file->read(0, bytes.bytes()).value(), 300U * 1024);
  EXPECT_EQ(bytes.bytes()[5], std::byte{0});
}

TEST_P(EveryIo, WhatIsWrittenIsReadBothWays) {
  auto file = make("a", 64 * 1024);
  AlignedBytes block(4096);
  std::memset(block.bytes().data(), 7, 4096);
  ASSERT_TRUE(file->write_durable(8192, block.bytes()));
  ASSERT_TRUE(file->sync());
  AlignedBytes back(4096);
  EXPECT_EQ(file->read(8192, back.bytes()).value(), 4096U);
  EXPECT_EQ(back.bytes()[0], std::byte{7});
  AlignedBytes device(8192);
  EXPECT_EQ(file->read_device(8192, device.bytes()).value(), 8192U);
  EXPECT_EQ(device.bytes()[4095], std::byte{7});
  EXPECT_EQ(device.bytes()[4096], std::byte{0});
  auto reading = io_->open(directory_ + "/a", OpenMode::kRead).value();
  EXPECT_EQ(reading->read_device(8192, device.bytes()).value(), 8192U);
  EXPECT_EQ(device.bytes()[0], std::byte{7});
}

TEST_P(EveryIo, WhatIsAtHandIsWhatIsThereAndNeverBeyondTheEnd) {
  auto file = make("a", 64 * 1024);
  AlignedBytes block(4096);
  std::memset(block.bytes().data(), 7, 4096);
  ASSERT_TRUE(file->write_durable(8192, block.bytes()));
  AlignedBytes back(4096);
  ASSERT_EQ(file->read(8192, back.bytes()).value(), 4096U);
  std::memset(back.bytes().data(), 1, 4096);
  if (file->read_at_hand(8192, back.bytes())) {
    EXPECT_EQ(back.bytes()[0], std::byte{7});
    EXPECT_EQ(back.bytes()[4095], std::byte{7});
  }
  EXPECT_FALSE(file->read_at_hand(64 * 1024 - 10, back.bytes()));
}

TEST_P(EveryIo, AReadIsShortAtTheFilesEnd) {
  auto file = make("a", 8192);
  AlignedBytes bytes(8192);
  EXPECT_EQ(file->read(4096, bytes.bytes()).value(), 4096U);
  EXPECT_EQ(file->read(8192, bytes.bytes()).value(), 0U);
}

TEST_P(EveryIo, OneExclusiveLockOrManyShared) {
  auto first = make("a", 0);
  auto second = io_->open(directory_ + "/a", OpenMode::kReadWrite).value();
  EXPECT_TRUE(first->lock(LockMode::kExclusive, {}).value());
  EXPECT_FALSE(second->lock(LockMode::kExclusive, {}).value());
  EXPECT_FALSE(second->lock(LockMode::kShared, {}).value());
  first.reset();
  auto third = io_->open(directory_ + "/a", OpenMode::kReadWrite).value();
  EXPECT_TRUE(second->lock(LockMode::kShared, {}).value());
  EXPECT_TRUE(third->lock(LockMode::kShared, {}).value());
}

TEST_P(EveryIo, ATextIsReplaced) {
  auto file = make("LOCK", 0);
  ASSERT_TRUE(file->rewrite("a longer text\n"));
  ASSERT_TRUE(file->rewrite("short"));
  std::array<std::byte, 32> bytes{};
  EXPECT_EQ(file->read(0, bytes).value(), 5U);
  EXPECT_EQ(std::memcmp(bytes.data(), "short", 5), 0);
}

TEST_P(EveryIo, ARingWritesManyAtOnceAndTellsOfEach) {
  const int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  auto file = make("a", 256 * 1024);
  auto ring = io_->make_ring(4, wake).value();
  AlignedBytes blocks(256 * 1024);
  for (std::size_t i = 0; i < 64; ++i)
    std::memset(blocks.bytes().data() + i * 4096, static_cast<int>(i + 1), 4096);
  for (std::uint64_t i = 0; i < 64; ++i)  // more than the ring is deep
    ring->write_durable(*file, i * 4096, blocks.bytes().subspan(i * 4096, 4096), i);
  ring->submit();
  std::array<bool, 64> done{};
  for (std::size_t count = 0; count < 64;) {
    ASSERT_TRUE(ring->wait());
    std::array<Ring::Done, 8> some;
    const auto reaped = ring->reap(some);
    for (std::size_t i = 0; i < reaped; ++i) {
      EXPECT_EQ(some[i].result, 4096);
      EXPECT_FALSE(std::exchange(done[some[i].token], true));
    }
    count += reaped;
  }
  EXPECT_FALSE(ring->wait());
  ::eventfd_t woken = 0;
  EXPECT_EQ(::eventfd_read(wake, &woken), 0);
  AlignedBytes back(4096);
  ring->read(*file, 63 * 4096, back.bytes(), 1);
  ring->submit();
  ASSERT_TRUE(ring->wait());
  std::array<Ring::Done, 8> some;
  ASSERT_EQ(ring->reap(some), 1U);
  EXPECT_EQ(some[0].result, 4096);
  EXPECT_EQ(back.bytes()[0], std::byte{64});
  ring.reset();
  ::close(wake);
}

TEST_P(EveryIo, ARingTellsOfAReadBehindTheEnd) {
  auto file = make("a", 4096);
  auto ring = io_->make_ring(4, -1).value();
  AlignedBytes back(4096);
  ring->read(*file, 8192, back.bytes(), 9);
  ring->submit();
  ASSERT_TRUE(ring->wait());
  std::array<Ring::Done, 1> done;
  ASSERT_EQ(ring->reap(done), 1U);
  EXPECT_EQ(done[0].token, 9U);
  EXPECT_EQ(done[0].result, 0);
}

TEST_P(EveryIo, RandomBytesDiffer) {
  std::array<std::byte, 16> a{}, b{};
  io_->random(a);
  io_->random(b);
  EXPECT_NE(a, b);
}

TEST(IoError, IsSaidInWordsAndNumber) {
  EXPECT_EQ(to_string(IoError{ENOSPC}), "No space left on device (28)");
}

}  // namespace
}  // namespace esdb::storage
