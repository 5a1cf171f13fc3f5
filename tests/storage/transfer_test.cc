#include "storage/transfer.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

namespace esdb::storage {
namespace {

using Kind = Transfer::Kind;
using Next = Transfer::Next;

// Feeds these results; the result of the whole, or 1 when it is not finished.
std::int64_t after(Transfer& transfer, const std::vector<std::int64_t>& results) {
  for (std::size_t i = 0; i < results.size(); ++i)
    if (transfer.advance(results[i]) == Next::kFinished)
      return i + 1 == results.size() ? transfer.result() : 2;  // 2: finished too early
  return 1;
}

TEST(Transfer, IsFinishedWhenEveryByteIs) {
  Transfer transfer(Kind::kWrite, 8192, 512);
  EXPECT_EQ(after(transfer, {8192}), 8192);
}

TEST(Transfer, GoesOnBehindWhatWasDone) {
  Transfer transfer(Kind::kWrite, 8192, 512);
  EXPECT_EQ(after(transfer, {4096}), 1);
  EXPECT_EQ(transfer.done(), 4096U);
  EXPECT_EQ(transfer.rest(), 4096U);
  EXPECT_EQ(after(transfer, {1000}), 1);
  EXPECT_EQ(transfer.done(), 4608U);  // whole blocks only
  EXPECT_EQ(after(transfer, {3584}), 8192);
}

TEST(Transfer, IsRepeatedWhenInterruptedEightTimesAtMost) {
  Transfer mended(Kind::kWrite, 512, 512);
  EXPECT_EQ(after(mended, {-EINTR, -EAGAIN, -EINTR, -EINTR, -EINTR, -EINTR, -EINTR, -EINTR, 512}),
            512);
  Transfer broken(Kind::kWrite, 512, 512);
  EXPECT_EQ(after(broken, std::vector<std::int64_t>(9, -EINTR)), -EINTR);
  Transfer orphaned(Kind::kWrite, 1024, 512);  // its thread ended
  EXPECT_EQ(after(orphaned, {512, -ECANCELED, 512}), 1024);
}

TEST(Transfer, FailsWithTheDevicesError) {
  for (const int error : {EIO, ENOSPC, ETIMEDOUT}) {
    Transfer transfer(Kind::kWrite, 512, 512);
    EXPECT_EQ(after(transfer, {-error}), -error);
  }
}

TEST(Transfer, AWriteOfNothingTwiceIsAFailure) {
  Transfer transfer(Kind::kWrite, 1024, 512);
  EXPECT_EQ(after(transfer, {0, 512, 0, 0}), -EIO);
}

TEST(Transfer, AReadEndsAtTheFilesEnd) {
  Transfer transfer(Kind::kRead, 1024, 1);
  EXPECT_EQ(after(transfer, {300, 0}), 300);
  Transfer direct(Kind::kRead, 1024, 512);
  EXPECT_EQ(after(direct, {512, 100}), 612);
}

}  // namespace
}  // namespace esdb::storage
