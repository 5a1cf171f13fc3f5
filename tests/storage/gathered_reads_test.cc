#include "storage/gathered_reads.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "storage/aligned_bytes.h"
#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

using Answer = GatheredReads::Answer;

// A file of 64 KiB: byte i of block b is b.
struct OneFile {
  OneFile() : io(memory), ring(*io.make_ring(kReadsAtOnce, -1)) {
    auto made = *io.open("file", OpenMode::kCreate);
    EXPECT_TRUE(made->allocate_zeroed(16 * kBlock));
    AlignedBytes block(kBlock);
    for (std::size_t b = 0; b < 16; ++b) {
      std::ranges::fill(block.bytes(), static_cast<std::byte>(b));
      EXPECT_TRUE(made->write_durable(b * kBlock, block.bytes()));
    }
    file = std::move(made);
  }
  static constexpr std::size_t kBlock = 4096;
  MemoryIo memory{};
  FaultyIo io;
  std::unique_ptr<Ring> ring;
  ReadsInFlight in_flight{kReadsAtOnce};
  std::shared_ptr<File> file{};
  std::array<std::byte, 100> into{};
};

TEST(GatheredReads, GivesWhatWasMissedOnceItIsFetchedAllTogether) {
  OneFile one;
  GatheredReads reads(*one.ring, one.in_flight);
  EXPECT_FALSE(reads.fetch()) << "nothing was noted";
  for (std::size_t b = 0; b < 16; ++b)
    EXPECT_EQ(reads.take(1, one.file, b * OneFile::kBlock, one.into), Answer::kMissed);
  EXPECT_EQ(reads.take(1, one.file, 0, one.into), Answer::kMissed) << "noted already";
  EXPECT_TRUE(reads.missed());
  EXPECT_FALSE(reads.missed());
  EXPECT_TRUE(reads.fetch());
  EXPECT_EQ(one.io.reads_at_once(), 16U);
  for (std::size_t b = 0; b < 16; ++b) {
    EXPECT_EQ(reads.take(1, one.file, b * OneFile::kBlock, one.into), Answer::kHere);
    EXPECT_EQ(one.into.front(), static_cast<std::byte>(b));
    EXPECT_EQ(one.into.back(), static_cast<std::byte>(b));
  }
  EXPECT_FALSE(reads.missed());
  EXPECT_FALSE(reads.fetch());
}

TEST(GatheredReads, MoreOfTheSameIsFetchedAgain) {
  OneFile one;
  GatheredReads reads(*one.ring, one.in_flight);
  std::array<std::byte, 300> more;
  EXPECT_EQ(reads.take(1, one.file, OneFile::kBlock, one.into), Answer::kMissed);
  EXPECT_EQ(reads.take(1, one.file, OneFile::kBlock, more), Answer::kMissed) << "before a fetch";
  EXPECT_TRUE(reads.fetch());
  EXPECT_EQ(one.io.count(Operation::kRingRead), 1U);
  EXPECT_EQ(reads.take(1, one.file, OneFile::kBlock, more), Answer::kHere);
  EXPECT_EQ(reads.take(1, one.file, OneFile::kBlock, one.into), Answer::kHere);
  EXPECT_EQ(reads.take(2, one.file, OneFile::kBlock, one.into), Answer::kMissed) << "another's";
  std::array<std::byte, 400> still_more;
  EXPECT_EQ(reads.take(1, one.file, OneFile::kBlock, still_more), Answer::kMissed);
  EXPECT_TRUE(reads.fetch());
  EXPECT_EQ(reads.take(1, one.file, OneFile::kBlock, still_more), Answer::kHere);
  EXPECT_EQ(still_more.back(), std::byte{1});
}

TEST(GatheredReads, WhatCannotBeFetchedIsReadAlone) {
  OneFile one;
  GatheredReads reads(*one.ring, one.in_flight);
  one.io.add({.operation = Operation::kRingRead, .error = EIO});
  EXPECT_EQ(reads.take(1, one.file, 0, one.into), Answer::kMissed);
  EXPECT_EQ(reads.take(1, one.file, 16 * OneFile::kBlock - 50, one.into), Answer::kMissed);
  EXPECT_EQ(reads.take(1, one.file, 4096, one.into), Answer::kMissed);
  EXPECT_TRUE(reads.fetch());
  EXPECT_EQ(reads.take(1, one.file, 0, one.into), Answer::kAlone);
  EXPECT_EQ(reads.take(1, one.file, 16 * OneFile::kBlock - 50, one.into), Answer::kAlone)
      << "the file ends before it";
  EXPECT_EQ(reads.take(1, one.file, 4096, one.into), Answer::kHere);
}

TEST(GatheredReads, NeverHasMoreWithTheDeviceThanMayBe) {
  OneFile one;
  ReadsInFlight three(3);
  GatheredReads reads(*one.ring, three);
  for (std::size_t b = 0; b < 16; ++b)
    EXPECT_EQ(reads.take(1, one.file, b * OneFile::kBlock, one.into), Answer::kMissed);
  EXPECT_TRUE(reads.fetch());
  EXPECT_EQ(one.io.reads_at_once(), 3U);
  for (std::size_t b = 0; b < 16; ++b) {
    EXPECT_EQ(reads.take(1, one.file, b * OneFile::kBlock, one.into), Answer::kHere);
    EXPECT_EQ(one.into.front(), static_cast<std::byte>(b));
  }
}

// What those who have to wait are given once so many of those before them have ended.
std::size_t begun_behind(ReadsInFlight& in_flight, std::size_t ended, std::size_t wanted) {
  std::atomic<std::size_t> later = 0;
  std::jthread waits([&] { later = in_flight.begin(wanted); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(later, 0U);
  in_flight.end(ended);
  waits.join();
  return later;
}

TEST(ReadsInFlight, LetsInWhatThereIsRoomForAndHoldsBackTheRest) {
  ReadsInFlight in_flight(10);
  EXPECT_EQ(in_flight.begin(6), 6U);
  EXPECT_EQ(in_flight.begin(6), 4U);
  EXPECT_EQ(begun_behind(in_flight, 4, 5), 4U);
}

TEST(ReadsInFlight, AreFewBesideAppendsAndManyAgainBehindThem) {
  ReadsInFlight in_flight(10);
  in_flight.give_way();
  for (int batch = 0; batch < kBatchesBesideAppends; ++batch) {
    ASSERT_EQ(in_flight.begin(10), kReadsBesideAppends);
    in_flight.end(kReadsBesideAppends);
  }
  EXPECT_EQ(in_flight.begin(10), 10U);
}

TEST(ReadsInFlight, GivingWayHoldsBackUntilThoseBegunBeforeHaveEnded) {
  ReadsInFlight in_flight(10);
  EXPECT_EQ(in_flight.begin(8), 8U);
  in_flight.give_way();
  EXPECT_EQ(begun_behind(in_flight, 8, 8), kReadsBesideAppends);
}

TEST(RingPool, LendsARingAgainAndNeverTheSameTwice) {
  MemoryIo memory;
  RingPool pool(memory);
  const Ring* first = nullptr;
  {
    const LentRing one(pool, true), other(pool, true);
    first = other.get();
    EXPECT_NE(one.get(), first);
  }
  const LentRing one(pool, true), other(pool, true);
  EXPECT_TRUE(one.get() == first || other.get() == first);
}

// ---- what is built on them

// Some sealed segments.
struct Sealed : WriterSetup {
  Sealed() : WriterSetup({.segment_bytes = 1 << 20, .background_inline = true}) {
    for (int i = 0; i < 900; ++i) append("", large("s" + std::to_string(i % 7), 6 * kKiB));
    EXPECT_GT(log->segments(), 4U);
  }
  std::vector<Position> scattered(std::size_t count, std::uint64_t seed) const {
    std::mt19937_64 random(seed);
    std::vector<Position> positions;
    for (std::size_t i = 0; i < count; ++i)
      positions.emplace_back(1 + random() % log->durable().value);
    return positions;
  }
};

TEST(ReadEach, ReadsScatteredEventsManyAtOnce) {
  Sealed setup;
  const auto positions = setup.scattered(200, 1);
  for (int i = 0; i < 2; ++i) {  // few at once at first, behind what was appended
    BatchMemory before;
    ASSERT_TRUE(setup.log->read_each(positions, {.bytes = std::size_t{16} << 20}, before));
  }
  BatchMemory batch;
  EXPECT_EQ(setup.log->read_each(positions, {.bytes = std::size_t{16} << 20}, batch).value(), 200U);
  EXPECT_GE(setup.io.reads_at_once(), 20U);
  EXPECT_LE(setup.io.reads_at_once(), std::size_t{kReadsAtOnce});
  ASSERT_EQ(batch.stored.size(), positions.size());
  for (std::size_t i = 0; i < positions.size(); ++i) {
    BatchMemory one;
    ASSERT_TRUE(setup.log->read_forwards(positions[i].value - 1, positions[i], {.bytes = 1}, one));
    EXPECT_EQ(batch.stored[i].position, positions[i]);
    EXPECT_EQ(batch.stored[i].id, one.stored.front().id);
    EXPECT_EQ(batch.stored[i].committed, one.stored.front().committed);
    EXPECT_TRUE(std::ranges::equal(batch.stored[i].encoded, one.stored.front().encoded));
  }
}

TEST(ReadEach, ReadsNoMoreAtOnceThanMayFit) {
  Sealed setup;
  BatchMemory batch;
  EXPECT_EQ(setup.log->read_each(setup.scattered(200, 2), {.bytes = 1}, batch).value(), 1U);
  EXPECT_LE(setup.io.reads_at_once(), 2U);
}

TEST(ReadEach, ReadsByItselfWhatTheRingCannot) {
  Sealed setup;
  setup.io.add({.operation = Operation::kRingRead, .times = 1'000'000});
  BatchMemory batch;
  const auto positions = setup.scattered(100, 3);
  EXPECT_EQ(setup.log->read_each(positions, {.bytes = std::size_t{16} << 20}, batch).value(), 100U);
  setup.io.add({.operation = Operation::kRead, .times = 1'000'000, .path = "00000002.seg"});
  const auto failed = setup.log->read_each(std::array{setup.log->durable(), Position{250}},
                                           {.bytes = std::size_t{16} << 20}, batch);
  EXPECT_EQ(failed.value(), 1U) << "what lies before the error is given";
}

TEST(RecentIds, ReadsTheFootersOfSeveralSegmentsAtOnce) {
  Sealed setup;
  const auto ids = setup.log->recent_ids(800).value();
  EXPECT_GE(setup.io.reads_at_once(), setup.log->segments() - 2);
  ASSERT_EQ(ids.size(), 800U);
  setup.io.add({.operation = Operation::kRingRead, .times = 1'000'000});
  const auto alone = setup.log->recent_ids(800).value();
  ASSERT_EQ(alone.size(), ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(ids[i].position, Position{setup.log->durable().value - 799 + i});
    EXPECT_EQ(ids[i].id, alone[i].id);
    EXPECT_EQ(ids[i].fingerprint, alone[i].fingerprint);
  }
}

}  // namespace
}  // namespace esdb::storage
