#include "storage/segment_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "storage/footer.h"
#include "storage/frame_survey.h"
#include "storage/memory_io.h"
#include "storage/segment_file.h"
#include "tests/fixtures/faulty_io.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

using fixtures::Operation;

// A segment of many small frames, in memory and sealed: both must read alike.
class SegmentReading : public ::testing::Test {
 protected:
  static constexpr std::size_t kFrames = 400;

  SegmentReading() : SegmentReading(std::vector<std::size_t>(kFrames, 3)) {}
  // Frames of so many events each.
  explicit SegmentReading(const std::vector<std::size_t>& frames) : files_(io_, "store/log") {
    LogDriver driver(io_, log_options("store"));
    EXPECT_EQ(driver.open(), "");
    for (std::size_t i = 0; i < frames.size(); ++i)
      EXPECT_EQ(driver.append(std::vector<DrivenEvent>(frames[i],
                                                       {.stream = "s", .data = std::to_string(i)})),
                "");
    driver.drop();
    auto file = io_.open("store/log/" + segment_name(1), OpenMode::kReadWrite).value();
    const auto header = read_segment_header(*file).value().value();
    seed_ = header.seed;
    auto pool = std::make_shared<ArenaPool>(1);
    open_ = std::make_shared<OpenSegment>(header, std::move(file),
                                          ArenaPool::take(pool, header.segment_bytes));
    open_->begin({});
    const auto image = read_image(*open_).value();
    survey_frames(*open_, image.written_to, false);
    EXPECT_EQ(open_->event_count(), std::accumulate(frames.begin(), frames.end(), std::size_t{0}));
    tail_ = write_footer(*open_).value();
  }
  SegmentReader sealed() { return {segment_of(tail_), end(), seed_, files_}; }
  SegmentReader in_memory() { return {segment_of(open_), end(), seed_, files_}; }
  SegmentEnd end() const { return {open_->last(), open_->last_frame()}; }
  void overwrite(std::uint64_t offset, std::string_view text) {
    auto file = io_.open("store/log/" + segment_name(1), OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_durable(offset, std::as_bytes(std::span(text))));
  }

  MemoryIo memory_;
  fixtures::FaultyIo io_{memory_};
  FileCache files_;
  std::uint64_t seed_ = 0;
  std::shared_ptr<OpenSegment> open_;
  FooterTail tail_{};
};

TEST_F(SegmentReading, SealedAndInMemoryReadAlike) {
  auto a = sealed();
  auto b = in_memory();
  EXPECT_FALSE(a.is_in_memory());
  EXPECT_TRUE(b.is_in_memory());
  EXPECT_EQ(a.last(), b.last());
  EXPECT_EQ(a.content_end().value() / a.unit_bytes(), b.content_end().value() / b.unit_bytes());
  for (Position position = 1; position <= a.last(); position = position.value + 1) {
    const auto there = a.event_place(position).value();
    ASSERT_EQ(there.offset, b.event_place(position).value().offset);
    ASSERT_EQ(there.ends_commit, position.value % 3 == 0);
    ASSERT_EQ(a.event_id(position).value().fingerprint, b.event_id(position).value().fingerprint);
    const auto frame = a.frame_of(position).value();
    ASSERT_EQ(frame, b.frame_of(position).value());
    ASSERT_EQ(frame, 1 + (position.value - 1) / 3);  // behind the epoch frame
    ASSERT_EQ(a.frame_header(frame).value().checksum, b.frame_header(frame).value().checksum);
  }
}

TEST_F(SegmentReading, WhatIsNotDurableIsNotThere) {
  SegmentReader reader(segment_of(open_), {.last = 7, .frame_number = 4}, seed_, files_);
  EXPECT_EQ(reader.last(), Position{7});
  EXPECT_EQ(reader.frames(), 4U);
  EXPECT_EQ(reader.frame_since(Time::max()).value(), 4U);
}

TEST_F(SegmentReading, ADamagedFooterIsNotBelieved) {
  overwrite(tail_.offsets_at + 10, "xx");
  overwrite(tail_.ids_at + 10, "xx");
  overwrite(tail_.frames_at + 10, "xx");
  auto reader = sealed();
  auto whole = in_memory();
  EXPECT_FALSE(files_.doubted_footer());
  for (Position position = 1; position <= reader.last(); position = position.value + 1) {
    ASSERT_EQ(reader.event_place(position)->offset, whole.event_place(position)->offset);
    ASSERT_EQ(reader.event_id(position)->id, whole.event_id(position)->id);
    ASSERT_EQ(*reader.frame_of(position), *whole.frame_of(position));
  }
  EXPECT_EQ(files_.doubted_footer(), 1U);
}

TEST_F(SegmentReading, ADamagedFooterOverADamagedHeaderIsDamage) {
  overwrite(tail_.offsets_at + 10, "xx");
  overwrite(tail_.frames_at + 10, "xx");
  overwrite(20, "xx");
  auto reader = sealed();
  const auto place = reader.event_place(1);
  ASSERT_FALSE(place.has_value());
  EXPECT_EQ(place.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(place.error().message.find("positions 1 to 1200"), std::string::npos)
      << place.error().message;
  EXPECT_TRUE(reader.event_id(1200).has_value());  // another block
}

TEST_F(SegmentReading, AFileThatIsGoneIsDamage) {
  ASSERT_TRUE(io_.remove("store/log/" + segment_name(1)));
  auto reader = sealed();
  const auto place = reader.event_place(1);
  ASSERT_FALSE(place.has_value());
  EXPECT_EQ(place.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(place.error().message.find("00000001.seg is missing"), std::string::npos)
      << place.error().message;
}

TEST_F(SegmentReading, WhatOneReaderReadOfAFooterTheNextOneFinds) {
  FileCache files(io_, "store/log", 8);
  SegmentReader first(segment_of(tail_), end(), seed_, files);
  const auto place = first.event_place(600).value();
  const auto frame = first.frame_of(600).value();
  io_.add({.operation = Operation::kRead, .times = 1'000, .error = EIO});
  SegmentReader second(segment_of(tail_), end(), seed_, files);
  EXPECT_EQ(second.event_place(600).value().offset, place.offset);
  EXPECT_EQ(second.frame_of(600).value(), frame);
  files.forget();
  SegmentReader third(segment_of(tail_), end(), seed_, files);
  EXPECT_FALSE(third.event_place(600).has_value());
}

class UnevenFrames : public SegmentReading {
 protected:
  static std::vector<std::size_t> sizes() {
    std::vector<std::size_t> sizes(300, 1);
    sizes[0] = 400;
    sizes[150] = 900;
    sizes.insert(sizes.end(), 40, 30);
    sizes.push_back(700);
    return sizes;
  }
  UnevenFrames() : SegmentReading(sizes()) {}
};

TEST_F(UnevenFrames, TheFrameOfEveryEventIsFound) {
  auto on_disk = sealed();
  auto here = in_memory();
  Position position = 1;
  std::size_t frame = 1;  // behind the epoch's
  for (const auto size : sizes()) {
    for (std::size_t i = 0; i < size; ++i, position = position.value + 1) {
      ASSERT_EQ(on_disk.frame_of(position).value(), frame) << position.value;
      ASSERT_EQ(here.frame_of(position).value(), frame) << position.value;
    }
    ++frame;
  }
}

// Nothing is wrong with the store when the process has no descriptor left.
TEST_F(SegmentReading, AShortageIsNoDamageAndPasses) {
  for (const auto operation : {Operation::kOpen, Operation::kRead})
    for (const int error : {EMFILE, ENFILE, ENOMEM}) {
      SCOPED_TRACE(to_string(IoError{error}));
      FileCache files(io_, "store/log");
      SegmentReader reader(segment_of(tail_), end(), seed_, files);
      io_.add({.operation = operation, .error = error});
      const auto place = reader.event_place(1);
      ASSERT_FALSE(place.has_value());
      EXPECT_EQ(place.error().code, ErrorCode::kUnavailable);
      EXPECT_NE(place.error().message.find("00000001.seg"), std::string::npos);
      EXPECT_TRUE(reader.event_place(1).has_value());
    }
}

TEST_F(SegmentReading, WhatIsInterruptedIsRepeated) {
  for (const auto operation : {Operation::kOpen, Operation::kRead}) {
    FileCache files(io_, "store/log");
    SegmentReader reader(segment_of(tail_), end(), seed_, files);
    io_.add({.operation = operation, .times = 3, .error = EINTR});
    EXPECT_TRUE(reader.event_place(1).has_value());
  }
}

// A sector that cannot be read is damage of its positions alone, also while memory is short.
TEST_F(SegmentReading, AFailingSectorIsDamageThere) {
  io_.add({.operation = Operation::kRead, .times = 1'000, .error = EIO});
  auto reader = sealed();
  const auto place = reader.event_place(1);
  io_.clear();
  ASSERT_FALSE(place.has_value());
  EXPECT_EQ(place.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(place.error().message.find("Input/output error"), std::string::npos);
  EXPECT_TRUE(reader.event_place(1200).has_value());
  io_.add({.operation = Operation::kRead, .error = EIO});
  io_.add({.operation = Operation::kRead, .nth = 2, .error = ENOMEM});
  auto other = sealed();
  EXPECT_EQ(other.event_place(1).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace esdb::storage
