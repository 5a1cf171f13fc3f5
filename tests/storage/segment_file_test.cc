#include "storage/segment_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "storage/aligned_bytes.h"
#include "storage/memory_io.h"
#include "tests/fixtures/faulty_io.h"

namespace esdb::storage {
namespace {

using fixtures::FaultyIo;
using fixtures::Operation;

SegmentHeader header_of(std::uint32_t number) {
  return {.number = number,
          .seed = 42,
          .segment_bytes = 1 << 20,
          .block_bytes = 4096,
          .unit_bytes = 4096};
}

class SegmentFile : public ::testing::Test {
 protected:
  SegmentFile() { EXPECT_TRUE(io_.make_directory("log")); }
  MemoryIo io_;
};

TEST_F(SegmentFile, NamesAreNumbersInHexadecimal) {
  EXPECT_EQ(segment_name(10), "0000000a.seg");
  EXPECT_EQ(parse_segment_name("0000000a.seg"), 10U);
  for (const char* other : {"a.seg", "0000000A.seg", "0000000g.seg", "0000000a.tmp", "0000000a", "",
                            "00000000a.seg", "+000000a.seg"})
    EXPECT_FALSE(parse_segment_name(other)) << other;
}

TEST_F(SegmentFile, ANewOneHasItsSizeAndHeaderAndNothingElse) {
  auto header = header_of(3);
  auto file = make_segment(io_, "log", header).value();
  EXPECT_EQ(file->size().value(), header.segment_bytes);
  const auto found = read_segment_header(*file).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->number, 3U);
  EXPECT_EQ(found->seed, 42U);
  EXPECT_FALSE(read_witness(*file, header).value().has_value());
  EXPECT_FALSE(read_footer_tail(*file, 3, 42).value().has_value());
}

TEST_F(SegmentFile, AFooterIsOneOnlyWhereItsTablesLieAsAWriterLaysThem) {
  auto header = header_of(3);
  auto file = make_segment(io_, "log", header).value();
  const auto plan = footer_plan(header.segment_bytes, header.block_bytes, {2000, 3});
  const FooterTail sound{.segment = 3,
                         .first_position = 1,
                         .first_frame = 1,
                         .event_count = 2000,
                         .frame_count = 3,
                         .frames_end = 64 << 10,
                         .unit_bytes = 4096,
                         .offsets_at = plan.offsets_at,
                         .ids_at = plan.ids_at,
                         .frames_at = plan.frames_at};
  const auto is_found = [&](FooterTail tail) {
    tail.checksum = checksum_of(tail, 42);
    AlignedBytes block(4096);
    std::memcpy(block.bytes().data(), &tail, sizeof(tail));
    EXPECT_TRUE(file->write_durable(plan.tail_at, block.bytes()));
    return read_footer_tail(*file, 3, 42).value().has_value();
  };
  EXPECT_TRUE(is_found(sound));
  for (auto FooterTail::*place :
       {&FooterTail::offsets_at, &FooterTail::ids_at, &FooterTail::frames_at}) {
    auto tail = sound;
    tail.*place += 8;
    EXPECT_FALSE(is_found(tail));
    tail.*place = std::uint64_t{1} << 63;
    EXPECT_FALSE(is_found(tail));
  }
  auto tail = sound;
  tail.event_count = 1'000'000'000;
  EXPECT_FALSE(is_found(tail));
  tail = sound;
  tail.frames_end = static_cast<std::uint32_t>(plan.offsets_at) + 1;
  EXPECT_FALSE(is_found(tail));
  tail = sound;
  tail.first_frame = 0;
  EXPECT_FALSE(is_found(tail));
  tail = sound;
  tail.first_position = 0;
  EXPECT_FALSE(is_found(tail));
  tail = sound;
  tail.frame_count = 100'000;
  EXPECT_FALSE(is_found(tail));
  tail = sound;
  tail.unit_bytes = 0;
  EXPECT_FALSE(is_found(tail));
  // Where those of a later format lie is not known here: it is only asked which it is.
  tail.format = kFormatVersion + 1;
  EXPECT_TRUE(is_found(tail));
}

// As one that another process cuts at this moment.
class ShrinkingFile final : public File {
 public:
  explicit ShrinkingFile(std::uint64_t size) : size_(size) {}
  IoResult<std::uint64_t> size() override { return size_; }
  IoResult<std::size_t> read(std::uint64_t, std::span<std::byte> into) override {
    return into.size() / 2;
  }
  bool read_at_hand(std::uint64_t, std::span<std::byte>) override { return false; }
  IoResult<std::size_t> read_device(std::uint64_t offset, std::span<std::byte> into) override {
    return read(offset, into);
  }
  IoResult<void> write_durable(std::uint64_t, std::span<const std::byte>) override { return {}; }
  IoResult<void> reserve(std::uint64_t) override { return {}; }
  IoResult<void> allocate_zeroed(std::uint64_t) override { return {}; }
  IoResult<void> sync() override { return {}; }
  IoResult<bool> lock(LockMode, std::chrono::milliseconds) override { return true; }
  IoResult<void> rewrite(std::string_view) override { return {}; }

 private:
  const std::uint64_t size_;
};

TEST_F(SegmentFile, AFileThatIsCutWhileItsFooterIsReadHasNone) {
  ShrinkingFile file(1 << 20);
  EXPECT_FALSE(read_footer_tail(file, 3, 42).value().has_value());
}

TEST_F(SegmentFile, AHalfMadeOneIsReplaced) {
  auto half = io_.open("log/" + segment_name(3), OpenMode::kCreate).value();
  ASSERT_TRUE(half->allocate_zeroed(5000));
  half.reset();
  auto header = header_of(3);
  FaultyIo faulty(io_);
  faulty.add({.operation = Operation::kRemove, .error = EACCES});
  EXPECT_EQ(make_segment(faulty, "log", header).error(), IoError{EACCES});
  EXPECT_TRUE(make_segment(io_, "log", header).has_value());
}

TEST_F(SegmentFile, AFailureLeavesNoFileBehind) {
  for (const auto operation :
       {Operation::kExists, Operation::kOpen, Operation::kLock, Operation::kReserve,
        Operation::kAllocate, Operation::kSync, Operation::kWrite, Operation::kSyncDirectory}) {
    FaultyIo faulty(io_);
    faulty.add({.operation = operation, .error = ENOSPC});
    auto header = header_of(3);
    EXPECT_EQ(make_segment(faulty, "log", header).error(), IoError{ENOSPC});
    EXPECT_TRUE(io_.list("log").value().empty());
  }
}

TEST_F(SegmentFile, IsMadeSliceBySlice) {
  SegmentMaking making(io_, "log", header_of(3));
  for (int slice = 0; slice < 3; ++slice) {
    const auto step = making.step(300'000);
    ASSERT_TRUE(step.has_value());
    EXPECT_EQ(*step, nullptr);
    auto file = io_.open("log/" + segment_name(3), OpenMode::kRead).value();
    EXPECT_FALSE(read_segment_header(*file).value().has_value()) << "not before it is whole";
  }
  auto made = making.step(300'000).value();
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->size().value(), header_of(3).segment_bytes);
  EXPECT_EQ(read_segment_header(*made).value()->checksum, making.header().checksum);
}

TEST_F(SegmentFile, OneThatIsNotFinishedIsRemoved) {
  {
    SegmentMaking making(io_, "log", header_of(3));
    ASSERT_TRUE(making.step(300'000).has_value());
    EXPECT_FALSE(io_.list("log").value().empty());
  }
  EXPECT_TRUE(io_.list("log").value().empty());
}

TEST_F(SegmentFile, AHeaderOfImpossibleSizesIsNotSound) {
  auto good = header_of(1);
  auto file = make_segment(io_, "log", good).value();
  const auto is_found = [&](const auto& change) {
    auto header = good;
    change(header);
    header.checksum = checksum_of(header);
    AlignedBytes block(4096);
    std::memcpy(block.bytes().data(), &header, sizeof(header));
    EXPECT_TRUE(file->write_durable(0, block.bytes()));
    return read_segment_header(*file).value().has_value();
  };
  EXPECT_TRUE(is_found([](SegmentHeader&) {}));
  EXPECT_FALSE(is_found([](SegmentHeader& header) { header.number = 0; }));
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{(1 << 20) + 1},
                                    std::uint64_t{16} << 10, std::uint64_t{1} << 32})
    EXPECT_FALSE(is_found([bytes](SegmentHeader& header) { header.segment_bytes = bytes; }))
        << bytes;
  for (const std::uint32_t bytes : {0U, 2048U, 12'288U, 1U << 18})
    EXPECT_FALSE(is_found([bytes](SegmentHeader& header) { header.block_bytes = bytes; })) << bytes;
  for (const std::uint32_t bytes : {0U, 64U, 1000U, 8192U})
    EXPECT_FALSE(is_found([bytes](SegmentHeader& header) { header.unit_bytes = bytes; })) << bytes;
}

TEST_F(SegmentFile, AFileOfAFewBytesHasNoHeader) {
  auto file = io_.open("log/" + segment_name(1), OpenMode::kCreate).value();
  ASSERT_TRUE(file->rewrite("a few"));
  EXPECT_FALSE(read_segment_header(*file).value().has_value());
}

TEST_F(SegmentFile, AWitnessOfAnotherSegmentIsNone) {
  auto header = header_of(1);
  auto file = make_segment(io_, "log", header).value();
  ASSERT_TRUE(write_witness(*file, header, 0, {.durable_frame = 5, .sequence = 1}));
  EXPECT_TRUE(read_witness(*file, header).value().has_value());
  header.number = 2;
  EXPECT_FALSE(read_witness(*file, header).value().has_value());
}

TEST_F(SegmentFile, TheNewerWitnessCountsAndATornOneDoesNot) {
  auto header = header_of(1);
  auto file = make_segment(io_, "log", header).value();
  ASSERT_TRUE(write_witness(*file, header, 0, {.durable_frame = 5, .sequence = 1}));
  ASSERT_TRUE(write_witness(*file, header, 1, {.clean = 1, .durable_frame = 9, .sequence = 2}));
  auto found = read_witness(*file, header).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->which, 1U);
  EXPECT_EQ(found->witness.durable_frame, 9U);
  EXPECT_EQ(found->witness.clean, 1U);
  const std::array<std::byte, 8> torn{std::byte{1}};
  ASSERT_TRUE(file->write_durable(witness_at(4096, 1) + 8, torn));
  found = read_witness(*file, header).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->witness.durable_frame, 5U);
}

}  // namespace
}  // namespace esdb::storage
