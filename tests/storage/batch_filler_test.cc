#include "storage/batch_filler.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "tests/fixtures/faulty_io.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

using fixtures::FaultyIo;
using fixtures::Operation;

class BatchFilling : public ::testing::Test {
 protected:
  BatchFilling() : io_(memory_), driver_(io_, log_options("store")) {
    EXPECT_EQ(driver_.open(), "");
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(driver_.place({{.stream = "s", .data = std::string(20'000, 'x')},
                               {.stream = "s", .data = std::to_string(i)}},
                              {{"source", static_cast<std::uint64_t>(i + 1)}}),
                "");
      EXPECT_EQ(driver_.finish(), "");
    }
    driver_.run_background();
    EXPECT_EQ(driver_.roll(), "");
    EXPECT_EQ(driver_.append("s", "behind"), "");
    driver_.run_background();
  }
  const Log& log() { return driver_.log(); }

  MemoryIo memory_;
  FaultyIo io_;
  LogDriver driver_;
};

TEST_F(BatchFilling, EventsAreEightByteAlignedAndOutliveTheLog) {
  BatchMemory batch;
  ASSERT_EQ(log().read_forwards(0, 41, {.bytes = 4 << 20}, batch).value(), Position{41});
  const auto written = driver_.written();
  driver_.drop();
  ASSERT_EQ(batch.stored.size(), written.size());
  for (std::size_t i = 0; i < written.size(); ++i) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch.stored[i].encoded.data()) % 8, 0U);
    EXPECT_EQ(protocol::data_of(batch.stored[i].encoded), written[i].data);
  }
}

TEST_F(BatchFilling, SmallEventsDoNotKeepLargeBlocksAlive) {
  BatchMemory batch;
  std::vector<Position> small;
  for (std::uint64_t i = 2; i <= 40; i += 2) small.push_back(i);
  ASSERT_EQ(log().read_each(small, {.bytes = 1 << 20}, batch).value(), small.size());
  EXPECT_EQ(batch.bytes.size(), 1U);
}

TEST_F(BatchFilling, OneBadSectorHidesOnlyItsOwnEvents) {
  // The device cannot read one event's sectors: a large read of them fails, a small one too.
  io_.add({.operation = Operation::kRead, .times = 1, .error = EIO, .path = segment_name(1)});
  BatchMemory mended;  // the second attempt works
  EXPECT_EQ(log().read_forwards(0, 10, {.bytes = 1 << 20}, mended).value(), Position{10});
  io_.add({.operation = Operation::kRead, .times = 1000, .error = EIO, .path = segment_name(1)});
  BatchMemory batch;
  auto failed = log().read_forwards(0, 10, {.bytes = 1 << 20}, batch);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(failed.error().message.find("Input/output error"), std::string::npos);
  EXPECT_TRUE(batch.stored.empty());
  EXPECT_EQ(log().read_forwards(40, 41, {.bytes = 1 << 20}, batch).value(), Position{41});
}

TEST_F(BatchFilling, WhatIsWholeBeforeDamageIsGivenFirst) {
  auto file = memory_.open("store/log/" + segment_name(1), OpenMode::kReadWrite).value();
  const std::string_view noise = "noise";
  ASSERT_TRUE(file->write_durable(300'000, std::as_bytes(std::span(noise))));
  BatchMemory batch;
  const auto before = log().read_forwards(0, 41, {.bytes = 4 << 20}, batch);
  ASSERT_TRUE(before.has_value()) << before.error().message;
  EXPECT_GT(before->value, 0U);
  EXPECT_EQ(batch.stored.size(), before->value);
  auto there = log().read_forwards(*before, 41, {.bytes = 4 << 20}, batch);
  ASSERT_FALSE(there.has_value());
  EXPECT_NE(there.error().message.find("positions " + std::to_string(before->value + 1)),
            std::string::npos)
      << there.error().message;
}

}  // namespace
}  // namespace esdb::storage
