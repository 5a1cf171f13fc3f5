#include "storage/paced_flush.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "storage/index_environment.h"
#include "tests/fixtures/scratch_directory.h"

namespace {

// What this thread asks the system for is counted, and refused where a test says so.
struct Asked {
  int refused{};  // this call for a slice; the first one finds out whether there is such a call
  int error{};
  int calls = 0;
  int flushes = 0;
};
thread_local Asked* asked = nullptr;

}  // namespace

extern "C" int __wrap_fdatasync(int fd);

extern "C" int sync_file_range(int fd, off64_t offset, off64_t bytes, unsigned flags) {
  if (asked != nullptr && ++asked->calls == asked->refused) {
    errno = asked->error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_sync_file_range, fd, offset, bytes, flags));
}

extern "C" int fdatasync(int fd) {
  if (asked != nullptr) ++asked->flushes;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace esdb::storage {
namespace {

struct FlushOfAFile : ::testing::Test {
  FlushOfAFile() : fd(::open((directory.path() + "/file").c_str(), O_RDWR | O_CREAT, 0600)) {
    asked = &counted;
  }
  ~FlushOfAFile() override {
    asked = nullptr;
    ::close(fd);
  }
  void make(std::uint64_t bytes) { ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(bytes)), 0); }
  // The linker does not put it in the place of what is defined beside its caller, as it is here.
  int flush() const { return __wrap_fdatasync(fd); }
  int slices() const { return counted.calls - 1; }

  fixtures::ScratchDirectory directory;
  Asked counted;
  int fd;
};

TEST_F(FlushOfAFile, GoesBySlicesToItsEndAndIsThenTheSystems) {
  const PacedFlush paced;
  make(2 * kFlushSliceBytes + 1);
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(slices(), 3);
  EXPECT_EQ(counted.flushes, 1);
  make(0);
  counted = {};
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(slices(), 0);
  EXPECT_EQ(counted.flushes, 1);
}

TEST_F(FlushOfAFile, HasLargerSlicesWhereTheFileIsLarge) {
  const PacedFlush paced;
  make(8 * kFlushSliceBytes * kFlushSlicesMax);
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(slices(), static_cast<int>(kFlushSlicesMax));
}

TEST_F(FlushOfAFile, IsTheSystemsWhereNothingElseIsAskedFor) {
  make(2 * kFlushSliceBytes);
  {
    const PacedFlush paced;
    const PacedFlush within;
  }
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(counted.calls, 0);
  EXPECT_EQ(counted.flushes, 1);
}

TEST_F(FlushOfAFile, IsTheSystemsWhereItHasNoSlices) {
  const PacedFlush paced;
  make(2 * kFlushSliceBytes);
  counted = {.refused = 1, .error = EPERM};
  EXPECT_EQ(flush(), 0);
  EXPECT_EQ(counted.calls, 1);
  EXPECT_EQ(counted.flushes, 1);
}

// The system tells it only once: a flush behind it would be told nothing.
TEST_F(FlushOfAFile, FailsWhenASliceCouldNotBeWritten) {
  const PacedFlush paced;
  make(3 * kFlushSliceBytes);
  for (const int error : {EIO, ENOSPC, EINVAL}) {
    counted = {.refused = 3, .error = error};
    EXPECT_EQ(flush(), -1);
    EXPECT_EQ(errno, error);
    EXPECT_EQ(counted.calls, 3);
    EXPECT_EQ(counted.flushes, 0);
  }
}

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

struct FlushOfTheIndex : FlushOfAFile {
  LmdbResult<void> commit() {
    auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite).value();
    transaction.put(Tree::kMeta, bytes_of("key"), bytes_of("value")).value();
    counted = {.refused = counted.refused, .error = counted.error};
    return transaction.commit();
  }
  std::unique_ptr<Environment> environment =
      Environment::open(directory.path(), Environment::Mode::kReadWrite).value();
};

TEST_F(FlushOfTheIndex, GoesBySlices) {
  commit().value();
  EXPECT_EQ(slices(), 1);
  EXPECT_EQ(counted.flushes, 1);
  counted = {};
  environment->sync().value();
  EXPECT_EQ(slices(), 1) << "what is left for the end when an index is built anew";
}

TEST_F(FlushOfTheIndex, FailsWithItsSlice) {
  counted = {.refused = 2, .error = EIO};
  const auto committed = commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().number, EIO);
  auto transaction = Transaction::begin(*environment, Transaction::Kind::kRead).value();
  EXPECT_FALSE(transaction.get(Tree::kMeta, bytes_of("key")).value());
}

}  // namespace
}  // namespace esdb::storage
