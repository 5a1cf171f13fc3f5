#include "storage/scrub.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include "tests/storage/sealed_log.h"
#include "tests/storage/store_to_damage.h"

namespace esdb::storage {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class ScrubTest : public ::testing::Test {
 protected:
  // As a process that begins to run: with what <store>/scrub says.
  void start(const ScrubPace& pace = {}) {
    scrub_ = std::make_unique<Scrub>(
        log_.io, log_.driver.log(), "store",
        [this](std::string_view line) { said_ += std::string(line) + "\n"; }, pace);
  }
  void remember(const std::string& text) {
    auto file = log_.io.open("store/scrub", OpenMode::kReadWrite);
    if (!file) file = log_.io.open("store/scrub", OpenMode::kCreate);
    ASSERT_TRUE((*file)->rewrite(text));
  }
  std::string remembered() {
    auto file = log_.io.open("store/scrub", OpenMode::kRead);
    if (!file) return "";
    std::string text(1000, '\0');
    text.resize((*file)->read(0, std::as_writable_bytes(std::span(text))).value());
    return text;
  }
  // The pass before this one began long ago.
  void make_due() { remember("began 1\nnext 0\n"); }
  // Until nothing is due; how many steps did something.
  std::size_t run() {
    std::size_t steps = 0;
    for (;; ++steps) {
      now_ += 1s;
      if (!scrub_->step(now_)) return steps;
    }
  }
  std::uint32_t sealed() {
    std::uint32_t number = 1;
    while (log_.driver.log().footer(number)) ++number;
    return number - 1;
  }
  std::size_t lines() const { return static_cast<std::size_t>(std::ranges::count(said_, '\n')); }

  SealedLog log_{};
  std::string said_{};
  std::unique_ptr<Scrub> scrub_{};
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
};

TEST_F(ScrubTest, WaitsAWeekAfterTheFirstEvent) {
  start();
  EXPECT_EQ(run(), 0U);
  EXPECT_EQ(remembered(), "");
  start({.every = std::chrono::nanoseconds(0)});
  now_ += std::chrono::hours(1);
  EXPECT_TRUE(scrub_->step(now_));
}

// A first segment that was passed over, because not every append would fit it, has no event.
TEST(Scrub, WaitsAWeekAfterTheFirstEventBehindAnEmptySegment) {
  MemoryIo io;
  LogDriver small(io, log_options("store"));
  ASSERT_EQ(small.open(), "");
  small.drop();
  LogDriver large(io, log_options("store", 4 << 20));
  ASSERT_EQ(large.open(), "");
  large.run_background();
  while (large.log().segments() < 3) {
    ASSERT_EQ(large.append("s", std::string(1 << 20, 'y')), "");
    large.run_background();
  }
  ASSERT_EQ(large.log().footer(1).value().frame_count, 0U);
  ASSERT_TRUE(large.log().footer(2).has_value());
  Scrub scrub(io, large.log(), "store", {});
  EXPECT_FALSE(scrub.step(std::chrono::steady_clock::time_point(std::chrono::hours(1))));
}

TEST_F(ScrubTest, ReadsEverySealedSegmentOnceAPass) {
  make_due();
  start();
  const auto before = log_.io.count(fixtures::Operation::kReadDevice);
  EXPECT_GE(run(), 3 * sealed());
  EXPECT_GE(log_.io.count(fixtures::Operation::kReadDevice) - before, 2 * sealed());
  EXPECT_EQ(said_, "");
  EXPECT_EQ(scrub_->damaged_segments(), 0U);
  EXPECT_TRUE(remembered().starts_with("began "));
  EXPECT_FALSE(remembered().starts_with("began 1\n"));
  EXPECT_NE(remembered().find("next 0\n"), std::string::npos);
  now_ += std::chrono::hours(24);
  EXPECT_EQ(run(), 0U) << "the next one is due in a week";
}

TEST_F(ScrubTest, KeepsToItsPace) {
  make_due();
  start();
  ASSERT_TRUE(scrub_->step(now_));
  EXPECT_FALSE(scrub_->step(now_));
  EXPECT_FALSE(scrub_->step(now_ + 80ms)) << "a megabyte takes a tenth of a second";
  EXPECT_TRUE(scrub_->step(now_ + 110ms));
}

TEST_F(ScrubTest, TellsDamageOnceAndCountsItUntilItIsMended) {
  log_.flip(2, 300'000);
  make_due();
  start();
  run();
  EXPECT_EQ(scrub_->damaged_segments(), 1U);
  EXPECT_EQ(lines(), 1U) << said_;
  EXPECT_NE(said_.find("store/log/00000002.seg is damaged at offset "), std::string::npos) << said_;
  EXPECT_NE(said_.find("; positions "), std::string::npos) << said_;
  said_.clear();
  start({.every = std::chrono::nanoseconds(0)});
  for (std::uint32_t i = 0; i < 8 * sealed(); ++i) scrub_->step(now_ += std::chrono::hours(1));
  EXPECT_EQ(lines(), 1U) << "once an opening: " << said_;
  log_.flip(2, 300'000);
  for (std::uint32_t i = 0; i < 8 * sealed(); ++i) scrub_->step(now_ += std::chrono::hours(1));
  EXPECT_NE(said_.find("00000002.seg is sound again"), std::string::npos) << said_;
  EXPECT_EQ(scrub_->damaged_segments(), 0U);
}

TEST_F(ScrubTest, GoesOnWhereItStoodAndLooksAtWhatWasDamagedFirst) {
  log_.flip(2, 300'000);
  make_due();
  start();
  while (remembered().find("next 3\n") == std::string::npos) scrub_->step(now_ += 1s);
  EXPECT_NE(remembered().find("damaged 2\n"), std::string::npos) << remembered();
  log_.flip(1, 300'000);  // behind it
  said_.clear();
  start();
  EXPECT_EQ(scrub_->damaged_segments(), 0U) << "not looked at yet";
  run();
  EXPECT_EQ(scrub_->damaged_segments(), 1U);
  EXPECT_EQ(lines(), 1U) << said_;
  EXPECT_NE(said_.find("00000002.seg"), std::string::npos) << said_;
}

TEST_F(ScrubTest, HasADamagedFooterMended) {
  log_.flip(3, log_.tail(3).ids_at + 77);
  const auto damaged = log_.bytes_of(3);
  make_due();
  start();
  run();
  EXPECT_NE(said_.find("a block of its footer"), std::string::npos) << said_;
  EXPECT_EQ(scrub_->damaged_segments(), 0U);
  log_.driver.run_background();
  EXPECT_FALSE(log_.bytes_of(3) == damaged) << "the background did not mend it";
  said_.clear();
  remember("began 1\nnext 0\n");
  start();
  run();
  EXPECT_EQ(said_, "");
}

TEST_F(ScrubTest, TellsASegmentThatIsGone) {
  ASSERT_TRUE(log_.memory.remove(SealedLog::path(2)));
  make_due();
  start();
  run();
  EXPECT_EQ(scrub_->damaged_segments(), 1U);
  EXPECT_NE(said_.find("the file cannot be read, No such file"), std::string::npos) << said_;
}

TEST_F(ScrubTest, BeginsAnewWhereWhatItRememberedIsNotToBeRead) {
  for (const auto* text : {"", "?!\n", "began x\nnext y\ndamaged z\n", "next 900\n"}) {
    SCOPED_TRACE(text);
    remember(text);
    start({.every = std::chrono::nanoseconds(0)});
    bool any = false;
    for (int i = 0; i < 5; ++i) any = scrub_->step(now_ += std::chrono::hours(1)) || any;
    EXPECT_TRUE(any);
  }
}

TEST_F(ScrubTest, GoesOnWhereItCannotRemember) {
  log_.io.add({.operation = fixtures::Operation::kRewrite, .times = 10'000, .error = ENOSPC});
  start({.every = std::chrono::nanoseconds(0)});
  EXPECT_TRUE(scrub_->step(now_));
  EXPECT_NE(said_.find("store/scrub cannot be written"), std::string::npos) << said_;
}

// In the engine, by its background thread, while somebody appends.
TEST(ScrubInAStore, CountsDamageInStatisticsAndLeavesTheRestServed) {
  StoreToDamage damaged;
  const auto frame = damaged.frames(2)[3];
  damaged.flip(2, frame.offset + 300);
  std::ofstream(damaged.path + "/scrub") << "began 1\nnext 0\n";
  std::mutex mutex;
  std::string said;
  auto store = open_directory(damaged.path, {.log =
                                                 [&](std::string_view line) {
                                                   const std::lock_guard lock(mutex);
                                                   said += std::string(line) + "\n";
                                                 },
                                             .memory = kMemoryMin,
                                             .segment_bytes = kSegmentBytesMin,
                                             .event_bytes_max = kSegmentBytesMin / 4,
                                             .append_bytes_max = kSegmentBytesMin / 4})
                   .value();
  const auto deadline = std::chrono::steady_clock::now() + 120s;
  while (store->statistics()->damaged_segments == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    ASSERT_TRUE(store->append("s-1", NewEvent{.type = "T"}).has_value());
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(store->statistics()->damaged_segments, 1U);
  EXPECT_EQ(store->statistics()->state, "ready");
  const std::lock_guard lock(mutex);
  EXPECT_NE(said.find("00000002.seg is damaged at offset " + std::to_string(frame.offset)),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("positions " + to_string(frame.first)), std::string::npos) << said;
}

}  // namespace
}  // namespace esdb::storage
