#include "storage/recovery_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <span>
#include <string>

#include "tests/storage/sealed_log.h"

namespace esdb::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <class T>
std::string_view text_of(const T& bytes) {
  return {reinterpret_cast<const char*>(&bytes), sizeof(bytes)};
}

// A log of sealed segments, an open one and a prepared one, some of whose bytes somebody forges:
// every checksum is right again.
class ForgedLog : public ::testing::Test {
 protected:
  ForgedLog() { store_.driver.drop(); }

  std::uint32_t count() { return static_cast<std::uint32_t>(store_.io.list("store/log")->size()); }
  std::uint32_t open_one() { return count() - 1; }

  template <class Change>
  void forge_header(std::uint32_t number, Change change) {
    auto header = store_.header(number);
    change(header);
    header.checksum = checksum_of(header);
    store_.overwrite(number, 0, text_of(header));
  }
  template <class Change>
  void forge_tail(std::uint32_t number, Change change) {
    const auto header = store_.header(number);
    auto tail = store_.tail(number);
    change(tail);
    tail.checksum = checksum_of(tail, header.seed);
    store_.overwrite(number, header.segment_bytes - kFooterBlockBytes, text_of(tail));
  }
  Error error() {
    auto log = open_log(store_.io, store_.options());
    return log ? Error{} : log.error();
  }
  // It is refused, and opens when the bytes are what they were.
  template <class Forge>
  void expect_refused(std::uint32_t number, const std::string& why, Forge forge) {
    const auto bytes = store_.bytes_of(number);
    forge();
    const auto forged = store_.bytes_of(number);
    const auto refused = error();
    EXPECT_EQ(refused.code, ErrorCode::kRefused);
    EXPECT_THAT(refused.message, AllOf(HasSubstr(segment_name(number)), HasSubstr(why)));
    EXPECT_TRUE(store_.bytes_of(number) == forged) << "it was written";
    store_.overwrite(number, 0, bytes);
    EXPECT_EQ(error().message, "");
  }

  SealedLog store_{};
};

TEST_F(ForgedLog, ASegmentOfALaterFormatIsNotOpened) {
  forge_tail(2, [](FooterTail& tail) { tail.format = kFormatVersion + 1; });
  const auto unsupported = error();
  EXPECT_EQ(unsupported.code, ErrorCode::kUnsupported);
  EXPECT_THAT(unsupported.message, AllOf(HasSubstr(segment_name(2)), HasSubstr("version 2")));
}

TEST_F(ForgedLog, AFrameOfALaterFormatIsNotCutOff) {
  const auto header = store_.header(open_one());
  const auto bytes = store_.bytes_of(open_one());
  const auto at = first_frame_at(header.block_bytes);
  FrameHeader frame;
  std::memcpy(&frame, bytes.data() + at, sizeof(frame));
  frame.format = kFormatVersion + 1;
  frame.checksum = checksum_of(frame, header.seed);
  store_.overwrite(open_one(), at, text_of(frame));
  const auto forged = store_.bytes_of(open_one());
  EXPECT_EQ(error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(store_.bytes_of(open_one()) == forged);
}

TEST_F(ForgedLog, AHeaderOfAnotherStoreOrNumberIsRefused) {
  const auto expect_foreign = [this](auto change) {
    expect_refused(open_one(), "belongs to another store or has another number",
                   [&] { forge_header(open_one(), change); });
  };
  expect_foreign([](SegmentHeader& header) { ++header.number; });
  expect_foreign([](SegmentHeader& header) { header.store_id[3] ^= std::byte{1}; });
  expect_foreign([](SegmentHeader& header) { header.seed ^= 1; });
}

TEST_F(ForgedLog, AFooterThatDoesNotFollowTheSegmentBeforeItIsRefused) {
  const auto expect_foreign = [this](std::uint32_t number, auto change) {
    expect_refused(number, "does not begin where the segment before it ends",
                   [&] { forge_tail(number, change); });
  };
  expect_foreign(1, [](FooterTail& tail) { ++tail.first_frame; });
  expect_foreign(2, [](FooterTail& tail) { ++tail.first_frame; });
  expect_foreign(2, [](FooterTail& tail) { ++tail.first_position; });
  expect_foreign(2, [](FooterTail& tail) { tail.first_epoch_id[3] ^= std::byte{1}; });
}

// It shows no frame that the segment before it lacks.
TEST_F(ForgedLog, AFooterOfFramesThatASegmentBeforeItHoldsIsRefused) {
  const auto begin = store_.header(1).segment_bytes - kFooterBlockBytes;
  store_.overwrite(1, begin, std::string(kFooterBlockBytes, '\0'));
  expect_refused(2, "does not begin where the segment before it ends", [this] {
    forge_tail(2, [](FooterTail& tail) {
      tail.first_frame = 1;
      tail.frame_count = 1;
    });
  });
}

TEST_F(ForgedLog, ASegmentThatIsStillWrittenIsLocked) {
  auto writer = store_.memory.open(SealedLog::path(open_one()), OpenMode::kReadWrite).value();
  ASSERT_TRUE(writer->lock(LockMode::kExclusive, {}).value());
  const auto locked = error();
  EXPECT_EQ(locked.code, ErrorCode::kLocked);
  EXPECT_THAT(locked.message, AllOf(HasSubstr(segment_name(open_one())), HasSubstr("try again")));
  writer.reset();
  EXPECT_EQ(error().message, "");
}

TEST_F(ForgedLog, AFileThatIsNoSegmentIsLeftAlone) {
  const std::string name = "store/log/notes.txt";
  ASSERT_TRUE(store_.memory.open(name, OpenMode::kCreate).value()->rewrite("mine"));
  ASSERT_EQ(store_.reopen(), "");
  EXPECT_THAT(store_.said, HasSubstr("not a segment, left alone: " + name));
  EXPECT_EQ(compare(store_.driver.log(), store_.driver.written()), "");
  store_.driver.drop();
  EXPECT_TRUE(open_log(store_.io, log_options("store")).has_value());
  EXPECT_TRUE(store_.memory.exists(name).value());
}

// More than is looked at in one read.
TEST_F(ForgedLog, AFileIsHalfMadeOnlyWhereItIsZeroToItsEnd) {
  const auto number = count() + 1;
  auto file = store_.memory.open(SealedLog::path(number), OpenMode::kCreate).value();
  ASSERT_TRUE(file->allocate_zeroed((5 << 20) / 2).has_value());
  store_.overwrite(number, 2 << 20, "x");
  const auto refused = error();
  EXPECT_EQ(refused.code, ErrorCode::kRefused);
  EXPECT_THAT(refused.message, HasSubstr(SealedLog::path(number) + " has no sound header"));
  store_.overwrite(number, 2 << 20, std::string(1, '\0'));
  EXPECT_EQ(error().message, "");
}

// The process may map so much more until this goes.
class ScarceMemory {
 public:
  explicit ScarceMemory(std::size_t bytes) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    ::getrlimit(RLIMIT_AS, &before_);
    const auto in_use = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const rlimit scarce{in_use + bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_AS, &scarce), 0);
  }
  ~ScarceMemory() { ::setrlimit(RLIMIT_AS, &before_); }
  ScarceMemory(const ScarceMemory&) = delete;
  ScarceMemory& operator=(const ScarceMemory&) = delete;

 private:
  rlimit before_{};
};

constexpr std::size_t kGiB = std::size_t{1} << 30;

TEST_F(ForgedLog, ASegmentThatMemoryHasNoRoomForIsNotCalledDamaged) {
  forge_header(count(), [](SegmentHeader& header) { header.segment_bytes = 2 * kGiB; });
  Error refused;
  {
    const ScarceMemory scarce(kGiB);
    refused = error();
  }
  EXPECT_EQ(refused.code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.message, AllOf(HasSubstr(segment_name(count())),
                                     HasSubstr("nothing is wrong with the store")));
}

TEST(NewLog, OneThatMemoryHasNoRoomForIsMadeLater) {
  MemoryIo io;
  const auto options = log_options("store", kGiB);
  {
    const ScarceMemory scarce(3 * kGiB / 2);  // for the file, not for the image
    const auto log = open_log(io, options);
    ASSERT_FALSE(log.has_value());
    EXPECT_EQ(log.error().code, ErrorCode::kUnavailable) << log.error().message;
  }
  EXPECT_TRUE(open_log(io, options).has_value());
}

}  // namespace
}  // namespace esdb::storage
