#include "storage/recovery.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>

#include "storage/aligned_bytes.h"
#include "storage/format.h"
#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "tests/fixtures/faulty_io.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

using fixtures::Fault;
using fixtures::FaultyIo;
using fixtures::Operation;

class Recovery : public ::testing::Test {
 protected:
  Recovery() : driver_(io_, options()) {}

  static LogOptions options() { return log_options("store"); }
  static std::string path(std::uint32_t number) { return "store/log/" + segment_name(number); }

  // Frames of 4 KiB and more, so that a few make a segment.
  void append(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_EQ(driver_.append("stream", std::string(20'000, 'x') + std::to_string(i)), "");
  }
  void start(std::size_t count) {
    ASSERT_EQ(driver_.open(), "");
    append(count);
  }

  std::string bytes_of(const std::string& name) {
    auto file = io_.open(name, OpenMode::kRead).value();
    std::string bytes(file->size().value(), '\0');
    EXPECT_EQ(file->read(0, std::as_writable_bytes(std::span(bytes))).value(), bytes.size());
    return bytes;
  }
  void overwrite(const std::string& name, std::uint64_t offset, const std::string& bytes) {
    auto file = io_.open(name, OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_durable(offset, std::as_bytes(std::span(bytes))));
  }
  void flip(const std::string& name, std::uint64_t offset) {
    auto byte = bytes_of(name).substr(offset, 1);
    byte[0] = static_cast<char>(byte[0] ^ 1);
    overwrite(name, offset, byte);
  }
  // The offset of the frame that holds it, in the segment that is open.
  std::uint64_t offset_of_last_frame() {
    const auto bytes = bytes_of(path(last_segment_));
    std::uint64_t found = 0;
    for (std::size_t at = 0; at + sizeof(FrameHeader) <= bytes.size(); at += 512) {
      std::uint32_t magic = 0;
      std::memcpy(&magic, bytes.data() + at, sizeof(magic));
      if (magic == kFrameMagic) found = at;
    }
    return found;
  }
  void expect_refused(std::string_view part) {
    std::map<std::string, std::string> before;
    const auto names = io_.list("store/log").value();
    for (const auto& name : names) before[name] = bytes_of("store/log/" + name);
    auto opened = open_log(io_, options());
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kRefused);
    EXPECT_NE(opened.error().message.find(part), std::string::npos) << opened.error().message;
    for (const auto& [name, bytes] : before)
      EXPECT_TRUE(bytes_of("store/log/" + name) == bytes) << name << " was written";
  }

  MemoryIo io_;
  LogDriver driver_;
  std::uint32_t last_segment_ = 1;
};

TEST_F(Recovery, ATornFrameThatWasNeverAcknowledgedIsCut) {
  start(3);
  driver_.drop();
  flip(path(1), offset_of_last_frame() + 5000);
  ASSERT_EQ(driver_.open(), "");
  driver_.written().pop_back();
  EXPECT_EQ(compare(driver_.log(), driver_.written()), "");
  append(3);
  driver_.drop();
  ASSERT_EQ(driver_.open(), "");
  EXPECT_EQ(compare(driver_.log(), driver_.written()), "");
}

TEST_F(Recovery, WhatWasCutIsZeroOnTheDevice) {
  start(3);
  driver_.drop();
  const auto torn = offset_of_last_frame();
  flip(path(1), torn + 5000);
  ASSERT_EQ(driver_.open(), "");
  const auto bytes = bytes_of(path(1));
  EXPECT_EQ(bytes.find_first_not_of('\0', torn), std::string::npos);
}

TEST_F(Recovery, DamageBelowWhatALaterFrameClaimsIsRefused) {
  start(3);
  const auto second = offset_of_last_frame();
  append(2);
  driver_.drop();
  flip(path(1), second + 3000);
  expect_refused("positions from 3 on");
}

TEST_F(Recovery, DamageBelowAWitnessIsRefused) {
  start(3);
  driver_.run_background();
  driver_.drop();
  flip(path(1), offset_of_last_frame() + 3000);
  expect_refused("a witness");
}

TEST_F(Recovery, DamageBelowTheIndexIsRefused) {
  start(3);
  const auto frames = driver_.log().durable_frame();
  const auto epoch = driver_.log().epoch_id();
  driver_.drop();
  flip(path(1), offset_of_last_frame() + 3000);
  auto with_index = options();
  with_index.indexed_frame = [&](const LogOptions::Known& known) {
    EXPECT_EQ(known.last_epoch_id, epoch);
    return frames;
  };
  auto opened = open_log(io_, with_index);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kRefused);
  EXPECT_NE(opened.error().message.find("the index"), std::string::npos);
}

TEST_F(Recovery, DamageInTheGapBehindAFrameIsDamageOfTheFrame) {
  start(3);
  driver_.run_background();
  driver_.drop();
  const auto last = offset_of_last_frame();
  const auto bytes = bytes_of(path(1));
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + last + offsetof(FrameHeader, length), sizeof(length));
  ASSERT_NE(length % 512, 0U);
  flip(path(1), last + length);
  expect_refused("gap");
}

TEST_F(Recovery, AHalfMadeNextSegmentIsMadeAgain) {
  start(3);
  driver_.drop();
  auto file = io_.open(path(2), OpenMode::kCreate).value();
  ASSERT_TRUE(file->allocate_zeroed(300'000));
  file.reset();
  ASSERT_EQ(driver_.open(), "");
  append(60);
  EXPECT_EQ(compare(driver_.log(), driver_.written()), "");
}

TEST_F(Recovery, AHalfMadeFirstSegmentIsMadeAgain) {
  ASSERT_TRUE(io_.make_directory("store/log"));
  auto file = io_.open(path(1), OpenMode::kCreate).value();
  ASSERT_TRUE(file->allocate_zeroed(300'000));
  file.reset();
  start(3);
  EXPECT_EQ(compare(driver_.log(), driver_.written()), "");
}

TEST_F(Recovery, ADamagedHeaderIsRefused) {
  start(3);
  driver_.drop();
  flip(path(1), 20);
  expect_refused("no sound header");
}

TEST_F(Recovery, ALostNewestSegmentIsRefused) {
  start(60);
  driver_.run_background();
  const auto last = static_cast<std::uint32_t>(io_.list("store/log").value().size());
  driver_.drop();
  for (auto number = last; number > 1; --number) {
    ASSERT_TRUE(io_.remove(path(number)));
    if (open_log(io_, options()).has_value()) continue;  // the next one was only prepared
    expect_refused("sealed");
    return;
  }
  FAIL() << "no segment was missed";
}

TEST_F(Recovery, AMissingSegmentIsRefused) {
  start(150);
  driver_.run_background();
  driver_.drop();
  ASSERT_TRUE(io_.remove(path(2)));
  expect_refused("00000002.seg is missing");
}

TEST_F(Recovery, AnIndexWithoutALogIsRefused) {
  ASSERT_TRUE(io_.make_directory("store/index"));
  ASSERT_TRUE(io_.make_directory("store/log"));
  expect_refused("index but no log");
}

TEST_F(Recovery, ASegmentOfAnotherStoreIsRefused) {
  start(60);
  driver_.run_background();
  driver_.drop();
  LogDriver other(io_, log_options("other"));
  ASSERT_EQ(other.open(), "");
  for (int i = 0; i < 60; ++i) ASSERT_EQ(other.append("s", std::string(20'000, 'y')), "");
  other.run_background();
  other.drop();
  ASSERT_TRUE(io_.remove(path(1)));
  ASSERT_TRUE(io_.rename("other/log/" + segment_name(1), path(1)));
  expect_refused(segment_name(1));
}

TEST_F(Recovery, AFooterThatIsLostIsWrittenAgain) {
  start(120);
  driver_.run_background();
  driver_.drop();
  const auto size = bytes_of(path(1)).size();
  overwrite(path(1), size - kFooterBlockBytes, std::string(kFooterBlockBytes, '\0'));
  ASSERT_EQ(driver_.open(), "");
  EXPECT_EQ(compare(driver_.log(), driver_.written()), "");
  driver_.run_background();
  EXPECT_EQ(compare(driver_.log(), driver_.written()), "");
  std::uint64_t magic = 0;
  std::memcpy(&magic, bytes_of(path(1)).data() + size - kFooterBlockBytes, sizeof(magic));
  EXPECT_EQ(magic, kFooterMagic);
}

TEST_F(Recovery, ALostFooterOverADamagedFrameIsRefused) {
  start(120);
  driver_.run_background();
  driver_.drop();
  const auto size = bytes_of(path(1)).size();
  overwrite(path(1), size - kFooterBlockBytes, std::string(kFooterBlockBytes, '\0'));
  flip(path(1), 300'000);
  expect_refused("damaged");
}

TEST_F(Recovery, ALaterFormatIsNotOpened) {
  start(3);
  driver_.drop();
  auto bytes = bytes_of(path(1));
  SegmentHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  header.format = 2;
  header.checksum = checksum_of(header);
  overwrite(path(1), 0, std::string(reinterpret_cast<const char*>(&header), sizeof(header)));
  auto opened = open_log(io_, options());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(opened.error().message.find("version 2"), std::string::npos);
}

TEST_F(Recovery, AFileThatWasCutBehindTheLogIsMadeWhole) {
  start(3);
  const auto whole = bytes_of(path(1)).size();
  driver_.drop();
  auto bytes = bytes_of(path(1)).substr(0, 200'000);
  ASSERT_TRUE(io_.remove(path(1)));
  ASSERT_TRUE(io_.open(path(1), OpenMode::kCreate).has_value());
  overwrite(path(1), 0, bytes);
  ASSERT_EQ(driver_.open(), "");
  EXPECT_EQ(bytes_of(path(1)).size(), whole);
  append(60);
  EXPECT_EQ(compare(driver_.log(), driver_.written()), "");
}

// All claims are gone with the rest, so that it looks like a log in which nothing was acknowledged.
TEST_F(Recovery, AFileThatWasCutWithinItsFirstUnitKeepsItsHeader) {
  start(1);
  driver_.drop();
  const auto begin = bytes_of(path(1)).substr(0, 100);
  ASSERT_TRUE(io_.remove(path(1)).has_value());
  ASSERT_TRUE(io_.open(path(1), OpenMode::kCreate).has_value());
  overwrite(path(1), 0, begin);
  LogDriver other(io_, options());
  ASSERT_EQ(other.open(), "");
  EXPECT_EQ(other.append("stream", "what is acknowledged from now on"), "");
  other.drop();
  ASSERT_EQ(other.open(), "");
  EXPECT_EQ(compare(other.log(), other.written()), "");
}

TEST_F(Recovery, ReadingOnlyWritesNothing) {
  start(3);
  driver_.drop();
  flip(path(1), offset_of_last_frame() + 3000);
  const auto before = bytes_of(path(1));
  auto reading = options();
  reading.access = Access::kReadOnly;
  auto log = open_log(io_, reading);
  ASSERT_TRUE(log.has_value());
  driver_.written().pop_back();
  EXPECT_EQ(compare(**log, driver_.written()), "");
  ASSERT_TRUE((*log)->close());
  EXPECT_TRUE(bytes_of(path(1)) == before);
}

TEST_F(Recovery, AStoreThatIsNotThereIsNotMadeWhenNobodyWantsIt) {
  auto never = options();
  never.create = Create::kNever;
  EXPECT_EQ(open_log(io_, never).error().code, ErrorCode::kInvalidArgument);
  auto reading = options();
  reading.access = Access::kReadOnly;
  EXPECT_EQ(open_log(io_, reading).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(io_.exists("store").value());
}

// Made by an opening that allowed only smaller appends, and never written to.
TEST_F(Recovery, AnEmptySegmentThatIsTooSmallForAnAppendIsPassedOver) {
  ASSERT_EQ(driver_.open(), "");
  driver_.close();
  auto larger = log_options("store", 8 << 20);
  larger.append_bytes_max = 2 << 20;
  LogDriver again(io_, larger);
  ASSERT_EQ(again.open(), "");
  ASSERT_EQ(again.append("stream", std::string(1'500'000, 'x')), "");
  EXPECT_EQ(compare(again.log(), again.written()), "");
  again.drop();
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(compare(again.log(), again.written()), "");
  again.run_background();
  again.close();
  ASSERT_EQ(again.open(), "");
  EXPECT_EQ(again.append("stream", "small"), "");
  EXPECT_EQ(compare(again.log(), again.written()), "");
}

TEST_F(Recovery, AFailureInTheMiddleOfMendingIsMendedByTheNextOpening) {
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

TEST_F(Recovery, AProcessWithoutDescriptorsIsToldSoAndOpensLater) {
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

TEST_F(Recovery, AFileThatMayNotBeUsedIsDeniedAndNotCalledDamaged) {
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

}  // namespace
}  // namespace esdb::storage
