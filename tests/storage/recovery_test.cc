#include "storage/recovery.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <string>

#include "tests/storage/recovery_setup.h"

namespace esdb::storage {
namespace {

TEST_F(Recovery, AnOptionThatCannotBeIsToldWithWhatCan) {
  auto bad = options();
  for (const std::size_t unit : {4, 64, 1000, 131'072}) {
    bad.write_unit = unit;
    expect_invalid(bad, "write_unit is " + std::to_string(unit) + ": give a power of two from 512");
  }
  bad = options();
  bad.append_bytes_max = 1024;
  for (const std::size_t bytes :
       {std::size_t{1'000'000}, std::size_t{16} << 10, std::size_t{2} << 30}) {
    bad.segment_bytes = bytes;
    expect_invalid(bad, "segment_bytes is " + std::to_string(bytes) + ": give 0 or a power of two");
  }
  bad = options();
  bad.append_bytes_max = (std::size_t{1} << 18) + 1;
  expect_invalid(bad, "append_bytes_max is 262145: at most 262144, a quarter of segment_bytes");
  bad.segment_bytes = 0;
  bad.append_bytes_max = kAppendBytesCap + 1;
  expect_invalid(bad, "at most " + std::to_string(kAppendBytesCap));
}

TEST_F(Recovery, SegmentsGrowWithTheMemoryAndHoldTheLargestAppend) {
  constexpr std::size_t kMiB = 1 << 20;
  LogOptions grown;
  grown.append_bytes_max = kMiB;
  const struct {
    std::size_t memory, at_first, later;
  } sizes[] = {{64, 16, 16}, {127, 16, 16}, {128, 16, 32}, {256, 16, 32}, {257, 16, 64}};
  for (const auto& size : sizes) {
    grown.memory = size.memory * kMiB;
    EXPECT_EQ(segment_bytes_for(grown, 3), size.at_first * kMiB) << size.memory;
    EXPECT_EQ(segment_bytes_for(grown, 4), size.later * kMiB) << size.memory;
  }
  grown.append_bytes_max = 30 * kMiB;
  EXPECT_EQ(segment_bytes_for(grown, 0), 128 * kMiB);
}

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

TEST_F(Recovery, WhatWasCutIsTold) {
  start(3);
  driver_.drop();
  const auto torn = offset_of_last_frame();
  flip(path(1), torn + 5000);
  std::string said;
  auto telling = options();
  telling.log = [&said](std::string_view line) { said += line; };
  ASSERT_TRUE(open_log(io_, telling).has_value());
  EXPECT_NE(said.find("bytes that were never acknowledged from 00000001.seg at offset " +
                      std::to_string(torn) + ": a torn frame"),
            std::string::npos)
      << said;
}

TEST_F(Recovery, DamageBelowWhatALaterFrameClaimsIsRefused) {
  start(3);
  const auto second = offset_of_last_frame();
  append(2);
  driver_.drop();
  flip(path(1), second + 3000);
  expect_refused("positions from 3 on");
}

TEST_F(Recovery, DamageBehindASegmentThatIsNotSealedYetIsFoundWhereItIs) {
  start_second_segment();
  append(1);
  expect_damage_found_in_last_frame_of(2);
}

// The segment before it ends with zeros where this frame might have been, too.
TEST_F(Recovery, DamageOfTheFirstFrameBehindASegmentThatIsNotSealedYetIsFoundWhereItIs) {
  start_second_segment();
  expect_damage_found_in_last_frame_of(2);
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

TEST_F(Recovery, ALogThatWasDeletedIsToldToWhoMakesNoStore) {
  ASSERT_TRUE(io_.make_directory("store/index"));
  auto never = options();
  never.create = Create::kNever;
  auto reading = options();
  reading.access = Access::kReadOnly;
  for (const auto& with : {never, reading}) {
    const auto opened = open_log(io_, with);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kRefused) << opened.error().message;
    EXPECT_NE(opened.error().message.find("store/log was deleted"), std::string::npos);
  }
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

TEST_F(Recovery, ADirectoryWithoutASegmentIsNoStore) {
  ASSERT_TRUE(io_.make_directory("store/log"));
  auto never = options();
  never.create = Create::kNever;
  EXPECT_EQ(open_log(io_, never).error().message, "there is no store in store");
  auto reading = options();
  reading.access = Access::kReadOnly;
  EXPECT_EQ(open_log(io_, reading).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(io_.list("store/log").value().empty());
}

// Made by an opening that allowed only smaller appends, and never written to.
TEST_F(Recovery, AnEmptySegmentThatIsTooSmallForAnAppendIsPassedOver) {
  ASSERT_EQ(driver_.open(), "");
  driver_.close();
  LogDriver again(io_, log_options("store", 8 << 20));
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

// Whichever segment holds it: behind a roll it may be one without a frame.
TEST_F(Recovery, TheNextWitnessIsNewerThanAnyThatIsFound) {
  start(3);
  driver_.run_background();
  append(1);
  ASSERT_EQ(driver_.roll(), "");
  ASSERT_TRUE(driver_.log().background_step(io_.steady() + std::chrono::hours(1)).value());
  driver_.drop();
  const auto witness_of = [this](std::uint32_t number) {
    auto file = io_.open(path(number), OpenMode::kRead).value();
    const auto header = read_segment_header(*file).value().value();
    return read_witness(*file, header).value().value().witness;
  };
  EXPECT_GT(witness_of(2).sequence, witness_of(1).sequence);
  overwrite(path(2), 100'000, "torn");
  ASSERT_EQ(driver_.open(), "");
  EXPECT_EQ(witness_of(1).sequence, witness_of(2).sequence + 1);
  append(1);
  driver_.run_background();
  EXPECT_EQ(witness_of(1).sequence, witness_of(2).sequence + 2);
  EXPECT_EQ(witness_of(1).durable_frame, driver_.log().durable_frame());
  driver_.drop();
  ASSERT_EQ(driver_.open(), "");
  EXPECT_EQ(compare(driver_.log(), driver_.written()), "");
}

}  // namespace
}  // namespace esdb::storage
