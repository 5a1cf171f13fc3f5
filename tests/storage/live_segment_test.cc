#include "storage/live_segment.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "storage/posix_io.h"
#include "storage/verify.h"
#include "tests/fixtures/test_run.h"
#include "tests/storage/store_to_damage.h"

namespace esdb::storage {
namespace {

// A store that is open while it is looked at.
class LiveSegment : public ::testing::Test {
 protected:
  OfflineSegment segment(std::uint32_t number) {
    const auto log = look_at_log(io_, store_.path);
    for (const auto& found : log->segments)
      if (found.number == number) return found;
    return {};
  }

  StoreToDamage store_{};
  PosixIo io_{};
};

TEST_F(LiveSegment, IsZeroBehindWhatIsDurable) {
  const auto open = store_.open_segment();
  const auto frames = store_.frames(open);
  const auto& third = frames[2];
  const auto bytes = settled_bytes(io_, segment(open), third.frame_number);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  const auto all = bytes->bytes();
  const auto file = fixtures::read_file(store_.file(open));
  const auto end = frames[3].offset;
  EXPECT_TRUE(std::memcmp(all.data(), file.data(), end) == 0);
  EXPECT_TRUE(all_zero(all.subspan(end)));
}

TEST_F(LiveSegment, IsEmptyWhereNothingOfItIsDurable) {
  const auto open = store_.open_segment();
  const auto before = store_.frames(open).front().frame_number - 1;
  const auto bytes = settled_bytes(io_, segment(open), before);
  EXPECT_TRUE(all_zero(bytes->bytes().subspan(first_frame_at(4096))));
}

TEST_F(LiveSegment, DoesNotShowAFooterThatIsJustWritten) {
  auto looked_at = segment(1);
  const auto tail = *looked_at.tail;
  looked_at.tail.reset();  // as it was a moment ago
  const auto bytes = settled_bytes(io_, looked_at, tail.first_frame + tail.frame_count + 5);
  EXPECT_TRUE(all_zero(bytes->bytes().subspan(tail.frames_end)));
  EXPECT_FALSE(all_zero(bytes->bytes().subspan(tail.frames_end - 4096)));
}

TEST_F(LiveSegment, ClaimsWhatTheWriterHasAcknowledged) {
  const auto log = look_at_log(io_, store_.path);
  EXPECT_EQ(*durable_in(io_, *log), store_.frames(store_.open_segment()).back().frame_number);
}

// The writer goes on all the time, through several segments; every look is true.
TEST_F(LiveSegment, IsNeverFoundDamagedWhileAWriterAppends) {
  auto store = store_.open();
  ASSERT_NE(store, nullptr);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> written{StoreToDamage::kEvents};
  std::thread writer([&] {
    for (std::uint64_t number = 0; !stop; ++number) {
      std::vector<NewEvent> events;
      for (std::uint64_t i = 0; i <= number % 7; ++i)
        events.push_back({.type = "T", .data = std::string(number % 9'000, 'x')});
      const auto done = store->append("live", Expect::any(), events);
      ASSERT_TRUE(done.has_value()) << done.error().message;
      written = done->last.value;
    }
  });
  const auto looks = fixtures::scaled(12);
  std::size_t segments = 0, sealed = 0;
  for (std::size_t look = 0; look < looks; ++look) {
    const auto before = written.load();
    const auto report = verify(store_.path);
    ASSERT_TRUE(report.has_value()) << report.error().message;
    EXPECT_TRUE(report->is_live);
    EXPECT_TRUE(report->damages.empty())
        << report->damages.front().file << " at " << report->damages.front().offset << ": "
        << report->damages.front().what << " of " << report->damages.size();
    EXPECT_LE(report->last, store->statistics()->durable);
    // Claims may lag by the frames in flight and the witness that is due, not by more.
    EXPECT_GE(report->last.value + 2000, before);
    EXPECT_EQ(report->events, report->last.value);
    segments = report->segments;
    sealed = report->sealed;
  }
  stop = true;
  writer.join();
  std::printf("%zu looks at a store that was written to: %llu events, %zu segments, %zu sealed\n",
              looks, static_cast<unsigned long long>(written.load()), segments, sealed);
  EXPECT_GT(written.load(), StoreToDamage::kEvents);
}

TEST_F(LiveSegment, IsFoundDamagedWhereItIs) {
  auto store = store_.open();
  const auto open = store_.open_segment();
  const auto frames = store_.frames(open);
  store_.flip(2, store_.frames(2)[4].offset + 300);
  store_.flip(open, frames[2].offset + 300);
  const auto report = verify(store_.path);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_TRUE(report->is_live);
  EXPECT_FALSE(report->is_sound());
  bool in_sealed = false, in_open = false;
  for (const auto& damage : report->damages) {
    in_sealed = in_sealed || (damage.segment == 2 && damage.first == store_.frames(2)[4].first);
    in_open = in_open || (damage.segment == open && damage.first == frames[2].first);
  }
  EXPECT_TRUE(in_sealed);
  EXPECT_TRUE(in_open);
  EXPECT_EQ(report->last.value, StoreToDamage::kEvents);
}

TEST_F(LiveSegment, IsFoundMissing) {
  auto store = store_.open();
  const auto open = store_.open_segment();
  const auto frames = store_.frames(open);
  store_.zero(open, frames[2].offset, store_.segments()[open - 1].frames_end);
  const auto report = verify(store_.path);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_FALSE(report->is_sound());
}

}  // namespace
}  // namespace esdb::storage
