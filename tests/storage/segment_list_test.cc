#include "storage/segment_list.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "storage/memory_io.h"
#include "storage/segment_file.h"

namespace esdb::storage {
namespace {

// Segments of 10 positions and 5 frames each; the third holds no event.
SegmentList three_and_an_empty_one() {
  SegmentList list;
  const auto add = [&](Position first, std::uint64_t first_frame) {
    list.segments.push_back({.number = static_cast<std::uint32_t>(list.segments.size() + 1),
                             .first = first,
                             .first_frame = first_frame});
  };
  add(1, 1);
  add(11, 6);
  add(21, 11);
  add(21, 16);
  return list;
}

TEST(SegmentList, APositionIsInTheLastSegmentThatBeginsBelowIt) {
  const auto list = three_and_an_empty_one();
  EXPECT_EQ(list.of_position(1), 0U);
  EXPECT_EQ(list.of_position(10), 0U);
  EXPECT_EQ(list.of_position(11), 1U);
  EXPECT_EQ(list.of_position(20), 1U);
  EXPECT_EQ(list.of_position(21), 3U);  // not in the one without events
  EXPECT_EQ(list.of_position(1000), 3U);
}

TEST(SegmentList, AFrameIsFoundInSegmentsWithoutEventsToo) {
  const auto list = three_and_an_empty_one();
  EXPECT_EQ(list.of_frame(5), 0U);
  EXPECT_EQ(list.of_frame(6), 1U);
  EXPECT_EQ(list.of_frame(12), 2U);
  EXPECT_EQ(list.of_frame(16), 3U);
}

TEST(FileCache, KeepsTheFilesUsedLastAndOpensTheOthersAgain) {
  MemoryIo io;
  for (std::uint32_t number = 1; number <= 200; ++number)
    ASSERT_TRUE(io.open("log/" + segment_name(number), OpenMode::kCreate).has_value());
  FileCache files(io, "log");
  const auto first = files.open(1).value();
  EXPECT_EQ(files.open(1).value(), first);
  for (std::uint32_t number = 2; number <= 200; ++number) {
    ASSERT_TRUE(files.open(number).has_value());
    if (number % 50 == 0) {
      EXPECT_EQ(files.open(1).value(), first);  // used again and again
    }
  }
  const auto second = files.open(2).value();
  EXPECT_EQ(second->size().value(), 0U);
  EXPECT_EQ(files.open(201).error(), IoError{ENOENT});
}

TEST(FileCache, RemembersADoubtUntilItIsSettled) {
  MemoryIo io;
  FileCache files(io, "store/log");
  EXPECT_FALSE(files.doubted_footer());
  files.doubt_footer(7);
  files.doubt_footer(7);
  files.doubt_footer(9);
  EXPECT_EQ(files.doubted_footer(), 7U);
  files.settle_doubt(7, FileCache::Settled::kMended);
  files.settle_doubt(9, FileCache::Settled::kHopeless);
  EXPECT_FALSE(files.doubted_footer());
  files.doubt_footer(9);
  EXPECT_FALSE(files.doubted_footer()) << "nothing more can be done for it";
  files.doubt_footer(7);
  EXPECT_EQ(files.doubted_footer(), 7U) << "it may be damaged again";
}

}  // namespace
}  // namespace esdb::storage
