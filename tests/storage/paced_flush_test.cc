#include "storage/paced_flush.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "storage/index_environment.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

struct FlushOfAFile : ::testing::Test {
  FlushOfAFile() : fd(::open((directory.path() + "/file").c_str(), O_RDWR | O_CREAT, 0600)) {}
  ~FlushOfAFile() override { ::close(fd); }
  std::uint64_t slices_of_flush() {
    const auto before = flushed_slices();
    EXPECT_EQ(::fdatasync(fd), 0);
    return flushed_slices() - before;
  }
  fixtures::ScratchDirectory directory;
  int fd;
};

TEST_F(FlushOfAFile, GoesBySlicesToItsEndWhereThatIsAskedFor) {
  ASSERT_EQ(::ftruncate(fd, 2 * kFlushSliceBytes + 1), 0);
  const PacedFlush paced;
  EXPECT_EQ(slices_of_flush(), 3U);
  ASSERT_EQ(::ftruncate(fd, 0), 0);
  EXPECT_EQ(slices_of_flush(), 0U);
}

TEST_F(FlushOfAFile, IsTheSystemsWhereThatIsNotAskedFor) {
  ASSERT_EQ(::ftruncate(fd, 2 * kFlushSliceBytes), 0);
  EXPECT_EQ(slices_of_flush(), 0U);
  { const PacedFlush paced; }
  EXPECT_EQ(slices_of_flush(), 0U);
}

TEST_F(FlushOfAFile, SaysWhyItFailed) {
  const PacedFlush paced;
  EXPECT_EQ(::fdatasync(-1), -1);
  EXPECT_EQ(errno, EBADF);
}

// A pipe has no ranges; fdatasync itself says what it thinks of it.
TEST_F(FlushOfAFile, IsLeftToTheSystemWhereThereAreNoSlices) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const PacedFlush paced;
  EXPECT_EQ(::fdatasync(ends[1]), -1);
  EXPECT_EQ(errno, EINVAL);
  for (const int end : ends) ::close(end);
}

TEST(PacedFlush, IsWhatACommitOfTheIndexDoes) {
  fixtures::ScratchDirectory directory;
  auto environment = Environment::open(directory.path(), Environment::Mode::kReadWrite).value();
  auto transaction = Transaction::begin(*environment, Transaction::Kind::kWrite).value();
  const std::string value(100, 'v');
  transaction.put(Tree::kMeta, std::as_bytes(std::span("key")), std::as_bytes(std::span(value)))
      .value();
  auto before = flushed_slices();
  transaction.commit().value();
  EXPECT_GT(flushed_slices(), before) << "a commit";
  before = flushed_slices();
  environment->sync().value();
  EXPECT_GT(flushed_slices(), before) << "what is left for the end, when an index is built anew";
}

}  // namespace
}  // namespace esdb::storage
