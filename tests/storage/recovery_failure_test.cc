// Recovery on a machine that fails it.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <utility>

#include "storage/recovery.h"
#include "tests/fixtures/faulty_io.h"
#include "tests/storage/recovery_setup.h"

namespace esdb::storage {
namespace {

using fixtures::FaultyIo;
using fixtures::Operation;

class RecoveryFailure : public Recovery {};

TEST_F(RecoveryFailure, AFailureInTheMiddleOfMendingIsMendedByTheNextOpening) {
  for (std::uint64_t nth = 1;; ++nth) {
    MemoryIo io;
    LogDriver driver(io, log_options("store"));
    ASSERT_EQ(driver.open(), "");
    for (int i = 0; i < 5; ++i) ASSERT_EQ(driver.append("s", std::string(900'00, 'x')), "");
    ASSERT_EQ(driver.place({{.stream = "s", .data = std::string(200'000, 'y')}}), "");
    ASSERT_EQ(driver.finish(), "");
    driver.drop();
    auto file = io.open(path(1), OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_durable(600'000, std::as_bytes(std::span(std::string_view("torn")))));
    file.reset();
    FaultyIo faulty(io);
    faulty.add({.operation = Operation::kWrite, .nth = nth, .error = EIO, .done = 512});
    const bool failed = !open_log(faulty, log_options("store")).has_value();
    driver.written().pop_back();
    ASSERT_EQ(driver.open(), "");
    ASSERT_EQ(compare(driver.log(), driver.written()), "");
    if (!failed) break;
    ASSERT_LT(nth, 20U);
  }
}

// Half-made: the next segment, of more than is looked at in one read.
TEST_F(RecoveryFailure, AFailureOfAnyOperationIsAnsweredAndLosesNothing) {
  start(100);
  driver_.run_background();
  driver_.drop();
  const auto next = path(static_cast<std::uint32_t>(io_.list("store/log").value().size()) + 1);
  FaultyIo faulty(io_);
  // Opens it with the n-th operation failing; false: there are not so many.
  const auto reached = [&](Operation operation, std::uint64_t nth, Access access) {
    if (!io_.exists(next).value()) {
      EXPECT_TRUE(io_.open(next, OpenMode::kCreate).value()->allocate_zeroed((5 << 20) / 2));
    }
    auto with = options();
    with.access = access;
    const auto before = faulty.count(operation);
    faulty.add({.operation = operation, .nth = nth, .error = EIO});
    const auto opened = open_log(faulty, with);
    faulty.clear();
    const bool met = faulty.count(operation) - before >= nth;
    EXPECT_NE(opened.has_value(), met) << fixtures::to_string(operation) << " " << nth;
    if (!opened) {
      EXPECT_EQ(opened.error().code, ErrorCode::kRefused) << opened.error().message;
      EXPECT_NE(opened.error().message.find("Input/output error"), std::string::npos)
          << opened.error().message;
    }
    return met;
  };
  for (const auto access : {Access::kReadWrite, Access::kReadOnly})
    for (const auto operation :
         {Operation::kExists, Operation::kList, Operation::kMakeDirectory, Operation::kOpen,
          Operation::kSize, Operation::kRead, Operation::kReadDevice, Operation::kLock,
          Operation::kSync, Operation::kRewrite, Operation::kRemove, Operation::kSyncDirectory,
          Operation::kWrite}) {
      std::uint64_t nth = 1;
      while (reached(operation, nth, access)) ASSERT_LT(++nth, 100U);
      ASSERT_EQ(driver_.open(), "") << fixtures::to_string(operation);
      EXPECT_EQ(compare(driver_.log(), driver_.written()), "") << fixtures::to_string(operation);
      driver_.drop();
    }
}

TEST_F(RecoveryFailure, WhereNothingCanBeLookedAtNobodySaysThatThereIsNoStore) {
  MemoryIo empty;
  auto never = options();
  never.create = Create::kNever;
  for (const std::uint64_t nth : {1, 2, 3}) {
    FaultyIo faulty(empty);
    faulty.add({.operation = Operation::kExists, .nth = nth, .error = EIO});
    const auto opened = open_log(faulty, never);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kRefused) << nth;
    EXPECT_NE(opened.error().message.find("cannot be looked at"), std::string::npos) << nth;
  }
}

TEST_F(RecoveryFailure, AProcessWithoutDescriptorsIsToldSoAndOpensLater) {
  start(100);
  driver_.drop();
  FaultyIo faulty(io_);
  for (std::uint64_t nth = 1;; ++nth) {
    faulty.clear();
    const auto opens = faulty.count(Operation::kOpen);
    faulty.add({.operation = Operation::kOpen, .nth = nth, .error = EMFILE});
    auto opened = open_log(faulty, options());
    if (opened) {
      EXPECT_GT(nth, 3U);
      EXPECT_EQ(faulty.count(Operation::kOpen) - opens, nth - 1);
      break;
    }
    EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable) << opened.error().message;
  }
}

TEST_F(RecoveryFailure, AFileThatMayNotBeUsedIsDeniedAndNotCalledDamaged) {
  for (const auto* path : {"LOCK", "00000001.seg"}) {
    MemoryIo memory;
    FaultyIo io(memory);
    LogDriver driver(io, log_options("store"));
    ASSERT_EQ(driver.open(), "");
    ASSERT_EQ(driver.append("order-1", "one"), "");
    driver.drop();
    io.add({.operation = Operation::kOpen, .error = EACCES, .path = path});
    const auto log = open_log(io, log_options("store"));
    ASSERT_FALSE(log.has_value()) << path;
    EXPECT_EQ(log.error().code, ErrorCode::kDenied) << path;
    EXPECT_NE(log.error().message.find(path), std::string::npos) << log.error().message;
    EXPECT_EQ(driver.open(), "") << path;
  }
}

// As a crash leaves them where the next segment but one was prepared and no frame of the next is
// whole.
TEST_F(RecoveryFailure, PreparedSegmentsThatAreTooSmallForAnAppendGiveWayToLargerOnes) {
  start(3);
  driver_.drop();
  prepare_segment(2);
  prepare_segment(3);
  auto larger = log_options("store", 8 << 20);
  larger.append_bytes_max = 2 << 20;
  FaultyIo faulty(io_);
  for (const auto& [operation, left] :
       {std::pair(Operation::kRemove, 3U), std::pair(Operation::kSyncDirectory, 2U)}) {
    faulty.add({.operation = operation, .error = EIO, .path = "store/log"});
    const auto opened = open_log(faulty, larger);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kRefused);
    EXPECT_NE(opened.error().message.find(path(3) + " cannot be removed"), std::string::npos);
    EXPECT_EQ(io_.list("store/log").value().size(), left);
  }
  prepare_segment(3);
  LogDriver again(io_, larger);
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(io_.list("store/log").value().size(), 1U);
  again.take_over(driver_.written());
  EXPECT_EQ(again.append("stream", std::string(1'500'000, 'x')), "");
  EXPECT_EQ(compare(again.log(), again.written()), "");
  again.drop();
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(compare(again.log(), again.written()), "");
}

TEST(DiskFull, MakesNoNewStore) {
  MemoryIo memory;
  FaultyIo io(memory);
  io.add({.operation = Operation::kAllocate, .error = ENOSPC});
  const auto log = open_log(io, log_options("store"));
  ASSERT_FALSE(log.has_value());
  EXPECT_EQ(log.error().code, ErrorCode::kDiskFull) << log.error().message;
  EXPECT_TRUE(memory.list("store/log").value().empty());
  EXPECT_TRUE(open_log(io, log_options("store")).has_value());
}

TEST(DiskFull, StopsAppendsAtTheSegmentsEndAndClearsByItself) {
  MemoryIo memory;
  FaultyIo io(memory);
  LogDriver driver(io, log_options("store"));
  ASSERT_EQ(driver.open(), "");
  io.add({.operation = Operation::kAllocate, .times = 1000, .error = ENOSPC});
  std::string answer;
  while (answer.empty()) answer = driver.append("s", std::string(20'000, 'x'));
  EXPECT_EQ(answer, "disk full");
  EXPECT_EQ(compare(driver.log(), driver.written()), "");
  io.clear();
  driver.run_background();
  EXPECT_FALSE(driver.log().disk_full());
  EXPECT_EQ(driver.append("s", "again"), "");
  EXPECT_EQ(compare(driver.log(), driver.written()), "");
}

}  // namespace
}  // namespace esdb::storage
