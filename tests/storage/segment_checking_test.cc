#include "storage/segment_checking.h"

#include <gtest/gtest.h>

#include <string>

#include "storage/segment_scan.h"
#include "tests/storage/sealed_log.h"

namespace esdb::storage {
namespace {

class Checking : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kNumber = 2;

  // Checks the whole segment; how many steps it took.
  std::size_t check() { return check(log_.tail(kNumber)); }
  std::size_t check(const FooterTail& tail) {
    auto file = log_.io.open(SealedLog::path(kNumber), OpenMode::kRead);
    checking_ = std::make_unique<SegmentChecking>(
        tail, log_.header(kNumber).seed, file ? std::move(*file) : nullptr, "no such file");
    std::size_t steps = 0;
    while (!checking_->done()) {
      const auto count = checking_->step();
      if (!count) {
        EXPECT_EQ(count.error().number, EMFILE);
        ++passing_;
        continue;
      }
      EXPECT_LE(*count, SegmentChecking::kStepBytes);
      ++steps;
      read_ += *count;
    }
    return steps;
  }
  FrameHeader frame(std::size_t index) {
    FileCache files(log_.io, "store/log");
    return log_.reader(kNumber, files).frame_header(index).value();
  }
  const std::vector<SegmentChecking::Found>& found() const { return checking_->found(); }

  SealedLog log_{};
  std::unique_ptr<SegmentChecking> checking_{};
  std::size_t passing_ = 0, read_ = 0;
};

TEST_F(Checking, FindsNothingInASoundSegmentAndReadsAllOfIt) {
  const auto tail = log_.tail(kNumber);
  EXPECT_GE(check(), 3U);
  EXPECT_TRUE(found().empty()) << found().front().what;
  EXPECT_FALSE(checking_->footer_is_damaged());
  EXPECT_GE(read_, tail.frames_end - 3 * 4096);
}

TEST_F(Checking, NamesTheEventsOfADamagedFrame) {
  const auto tenth = frame(10), eleventh = frame(11), twentieth = frame(20);
  log_.flip(kNumber, tenth.offset + 200);
  log_.flip(kNumber, eleventh.offset + 20);
  log_.flip(kNumber, twentieth.offset + tenth.length - 1);
  check();
  ASSERT_EQ(found().size(), 2U);
  EXPECT_EQ(found()[0].offset, tenth.offset);
  EXPECT_EQ(found()[0].positions.from.value, tenth.first_position);
  EXPECT_EQ(found()[0].positions.to.value, eleventh.first_position + 2);
  EXPECT_EQ(found()[1].positions.from.value, twentieth.first_position);
  EXPECT_EQ(found()[1].positions.to.value, twentieth.first_position + 2);
}

TEST_F(Checking, NamesTheEventsOfTheLastFrames) {
  const auto tail = log_.tail(kNumber);
  const auto last = frame(tail.frame_count - 1);
  log_.flip(kNumber, last.offset + 1);
  check();
  ASSERT_EQ(found().size(), 1U);
  EXPECT_EQ(found()[0].positions.from.value, last.first_position);
  EXPECT_EQ(found()[0].positions.to.value, tail.first_position + tail.event_count - 1);
}

TEST_F(Checking, FindsEveryPartOfTheFooterAndTheHeader) {
  const auto tail = log_.tail(kNumber);
  for (const auto offset : {tail.offsets_at + 5, tail.ids_at + 4090, tail.frames_at + 5}) {
    log_.flip(kNumber, offset);
    check();
    EXPECT_EQ(found().size(), 1U);
    EXPECT_TRUE(checking_->footer_is_damaged());
    log_.flip(kNumber, offset);
  }
  const auto at = log_.header(kNumber).segment_bytes - kFooterBlockBytes;
  log_.flip(kNumber, at + 16);
  check(tail);
  EXPECT_EQ(found().size(), 1U);
  EXPECT_FALSE(checking_->footer_is_damaged());
  log_.flip(kNumber, at + 16);
  check();
  EXPECT_TRUE(found().empty());
}

TEST_F(Checking, NamesAllEventsOfAFileThatIsGoneOrCannotBeRead) {
  const auto tail = log_.tail(kNumber);
  log_.io.add({.operation = fixtures::Operation::kReadDevice, .times = 10'000, .error = EIO});
  check();
  ASSERT_GE(found().size(), 2U) << "its header, and all of its frames";
  EXPECT_NE(found()[1].what.find("Input/output error"), std::string::npos) << found()[1].what;
  EXPECT_EQ(found()[1].positions.from.value, tail.first_position);
  EXPECT_EQ(found()[1].positions.to.value, tail.first_position + tail.event_count - 1);
  log_.io.clear();
  log_.io.add({.operation = fixtures::Operation::kOpen, .nth = 1, .error = ENOENT});
  SegmentChecking gone(tail, 1, nullptr, "No such file or directory");
  EXPECT_TRUE(gone.done());
  EXPECT_EQ(gone.found().size(), 1U);
  EXPECT_EQ(gone.found()[0].positions.to.value, tail.first_position + tail.event_count - 1);
}

TEST_F(Checking, ReadsASectorAtATimeWhereOneIsBad) {
  // Behind the header, a read of a megabyte fails, and then one of its sectors.
  log_.io.add({.operation = fixtures::Operation::kReadDevice, .nth = 2, .times = 2, .error = EIO});
  check();
  ASSERT_EQ(found().size(), 1U);
  EXPECT_LT(found()[0].positions.to.value - found()[0].positions.from.value, 20U);
}

TEST_F(Checking, ReadsAgainWhereTheProcessIsShortOfSomething) {
  log_.io.add(
      {.operation = fixtures::Operation::kReadDevice, .nth = 1, .times = 2, .error = EMFILE});
  check();
  EXPECT_EQ(passing_, 2U);
  EXPECT_TRUE(found().empty());
}

// A frame that takes several reads.
TEST(CheckingLarge, FrameIsWholeAfterSomeSteps) {
  MemoryIo io;
  LogDriver driver(io, log_options("store", 8 << 20));
  ASSERT_EQ(driver.open(), "");
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(driver.append("s", std::string(1'900'000, static_cast<char>('a' + i))), "");
  driver.run_background();
  const auto tail = driver.log().footer(1);
  ASSERT_TRUE(tail.has_value());
  const auto check = [&] {
    SegmentChecking checking(*tail, driver.log().seed(),
                             io.open("store/log/" + segment_name(1), OpenMode::kRead).value());
    int steps = 0;
    for (; !checking.done(); ++steps) EXPECT_TRUE(checking.step().has_value());
    EXPECT_GT(steps, 7);
    return checking.found();
  };
  EXPECT_TRUE(check().empty());
  auto file = io.open("store/log/" + segment_name(1), OpenMode::kReadWrite).value();
  AlignedBytes block(4096);
  ASSERT_TRUE(file->write_durable(4 << 20, block.bytes()));
  const auto found = check();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].positions.from, Position{3});
  EXPECT_EQ(found[0].positions.to, Position{3});
}

}  // namespace
}  // namespace esdb::storage
