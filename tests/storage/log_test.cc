#include "storage/log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/memory_io.h"
#include "storage/posix_io.h"
#include "storage/uring_io.h"
#include "tests/fixtures/faulty_io.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

// Every Io that a store runs on.
class LogOn : public ::testing::TestWithParam<std::string> {
 protected:
  LogOn() {
    if (GetParam() == "memory") io_ = std::make_unique<MemoryIo>();
    if (GetParam() == "posix") io_ = std::make_unique<PosixIo>();
    if (GetParam() == "uring") io_ = std::make_unique<UringIo>();
    driver_ = std::make_unique<LogDriver>(*io_, log_options(directory_.path() + "/store"));
  }
  void SetUp() override {
    if (GetParam() == "uring" && UringIo::unavailable() != 0) GTEST_SKIP() << "no io_uring here";
    ASSERT_EQ(driver_->open(), "");
  }
  // Commits of two events each, some frames in flight at once.
  void append_many(std::size_t count, std::size_t data_bytes = 8000) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto stream = "stream-" + std::to_string(i % 7);
      ASSERT_EQ(driver_->place({{.stream = stream, .data = std::string(data_bytes, 'a')},
                                {.stream = stream, .data = std::to_string(i)}}),
                "");
      if (i % 4 == 3) {
        ASSERT_EQ(driver_->finish(), "");
      }
    }
    ASSERT_EQ(driver_->finish(), "");
  }
  Log& log() { return driver_->log(); }

  fixtures::ScratchDirectory directory_;
  std::unique_ptr<Io> io_;
  std::unique_ptr<LogDriver> driver_;
};

INSTANTIATE_TEST_SUITE_P(Io, LogOn, ::testing::Values("memory", "posix", "uring"),
                         [](const auto& instance) { return instance.param; });

// A store opened with smaller writes goes on in the units of the segment that is open.
TEST(LogRoom, AnEpochTakesAUnitOfTheSegmentItGoesInto) {
  MemoryIo io;
  auto options = log_options("store");
  options.write_unit = 4096;
  LogDriver driver(io, options);
  ASSERT_EQ(driver.open(), "");
  ASSERT_EQ(driver.append("s", std::string(500'000, 'x')), "");
  driver.close();
  options.write_unit = 512;
  const auto log = open_log(io, options).value();
  std::size_t content = 1 << 20;
  while (!log->has_room(content, 1)) content -= 8;
  const auto epoch = log->place_epoch().write;
  ASSERT_TRUE(epoch.file->write_durable(epoch.offset, epoch.bytes).has_value());
  log->complete(epoch.frame_number);
  EXPECT_TRUE(log->has_room(content, 1));
}

TEST_P(LogOn, ANewLogIsEmpty) {
  EXPECT_EQ(log().durable(), Position{0});
  EXPECT_EQ(log().durable_frame(), 0U);
  EXPECT_EQ(log().segments(), 1U);
  EXPECT_EQ(log().epoch_id(), Uuid{});
  EXPECT_EQ(compare(log(), {}), "");
}

TEST_P(LogOn, NothingIsShownBeforeItIsDurable) {
  ASSERT_EQ(driver_->place({{.stream = "s", .data = "1"}}), "");
  EXPECT_EQ(log().durable(), Position{0});
  EXPECT_EQ(log().written(), Position{1});
  ASSERT_EQ(driver_->finish(), "");
  EXPECT_EQ(log().durable(), Position{1});
}

TEST_P(LogOn, FramesThatFinishOutOfOrderAreShownInOrder) {
  ASSERT_EQ(driver_->append("s", "1"), "");
  ASSERT_EQ(driver_->place({{.stream = "s", .data = "2"}}), "");
  ASSERT_EQ(driver_->place({{.stream = "s", .data = "3"}}), "");
  const auto last = log().durable_frame();
  EXPECT_EQ(log().complete(last + 2), last);
  EXPECT_EQ(log().durable(), Position{1});
  EXPECT_EQ(log().complete(last + 1), last + 2);
  EXPECT_EQ(log().durable(), Position{3});
}

TEST_P(LogOn, EventsAreReadBackFromMemoryAndFromSealedSegments) {
  append_many(250);
  EXPECT_GT(log().segments(), 2U);
  EXPECT_EQ(compare(log(), driver_->written()), "");
  driver_->run_background();
  EXPECT_EQ(compare(log(), driver_->written()), "");
  EXPECT_EQ(compare(log(), driver_->written(), 1), "");
}

TEST_P(LogOn, EverythingIsThereWhenItIsOpenedAgain) {
  append_many(250);
  driver_->run_background();
  const auto store_id = log().store_id();
  const auto epoch_id = log().epoch_id();
  const auto frames = log().durable_frame();
  driver_->close();
  ASSERT_EQ(driver_->open(), "");
  EXPECT_EQ(log().store_id(), store_id);
  EXPECT_EQ(log().epoch_id(), epoch_id);
  EXPECT_EQ(log().durable_frame(), frames);
  EXPECT_EQ(compare(log(), driver_->written()), "");
  append_many(10);
  EXPECT_NE(log().epoch_id(), epoch_id);
  EXPECT_EQ(compare(log(), driver_->written()), "");
}

TEST_P(LogOn, EverythingIsThereAfterAnEndWithoutClosing) {
  for (int round = 0; round < 3; ++round) {
    append_many(120);
    driver_->drop();
    ASSERT_EQ(driver_->open(), "");
    ASSERT_EQ(compare(log(), driver_->written()), "");
  }
}

TEST_P(LogOn, AnEventOfTheLargestSizeFitsIntoAFreshSegment) {
  append_many(5);
  for (int i = 0; i < 6; ++i)
    ASSERT_EQ(driver_->append("large", std::string((256 << 10) - 300, 'x')), "");
  EXPECT_EQ(compare(log(), driver_->written()), "");
  driver_->run_background();
  EXPECT_EQ(compare(log(), driver_->written()), "");
}

TEST_P(LogOn, ABudgetOfEventsAndBytesIsKept) {
  append_many(100);
  BatchMemory few;
  EXPECT_EQ(log().read_forwards(10, 200, {.bytes = 1 << 20, .events = 3}, few).value(),
            Position{13});
  EXPECT_EQ(few.stored.size(), 3U);
  BatchMemory one;
  EXPECT_EQ(log().read_forwards(10, 200, {.bytes = 1}, one).value(), Position{11});
  BatchMemory some;
  EXPECT_EQ(log().read_forwards(10, 12, {.bytes = 1 << 20}, some).value(), Position{12});
}

TEST_P(LogOn, ReadingBackwardsGivesTheSameEventsTheOtherWayRound) {
  append_many(200);
  driver_->run_background();
  Position from = log().durable();
  std::size_t count = 0;
  while (from.value > 0) {
    BatchMemory batch;
    const auto last = log().read_backwards(from, 1, {.bytes = 32 << 10}, batch).value();
    for (const auto& event : batch.stored) {
      ASSERT_EQ(event.position, from);
      ASSERT_EQ(event.id, driver_->written()[from.value - 1].id);
      from = from.value - 1;
      ++count;
    }
    ASSERT_EQ(last, Position{from.value + 1});
  }
  EXPECT_EQ(count, driver_->written().size());
}

TEST_P(LogOn, ScatteredEventsComeInTheOrderAskedFor) {
  append_many(200);
  driver_->run_background();
  std::mt19937_64 random(7);
  std::vector<Position> positions;
  for (int i = 0; i < 300; ++i) positions.push_back(random() % log().durable().value + 1);
  BatchMemory batch;
  EXPECT_EQ(log().read_each(positions, {.bytes = 8 << 20}, batch).value(), positions.size());
  for (std::size_t i = 0; i < positions.size(); ++i) {
    EXPECT_EQ(batch.stored[i].position, positions[i]);
    EXPECT_EQ(protocol::data_of(batch.stored[i].encoded),
              driver_->written()[positions[i].value - 1].data);
  }
  BatchMemory first;
  EXPECT_EQ(log().read_each(positions, {.bytes = 1}, first).value(), 1U);
}

TEST_P(LogOn, AnEventKnowsItsAppendAndItsCommitTime) {
  append_many(3);
  BatchMemory batch;
  ASSERT_TRUE(log().read_forwards(0, 6, {.bytes = 1 << 20}, batch));
  ASSERT_EQ(batch.stored.size(), 6U);
  EXPECT_EQ(batch.stored[2].ordinal, 0U);
  EXPECT_FALSE(batch.stored[2].ends_append);
  EXPECT_EQ(batch.stored[3].ordinal, 1U);
  EXPECT_TRUE(batch.stored[3].ends_append);
  EXPECT_EQ(batch.stored[2].committed, batch.stored[3].committed);
  EXPECT_LE(batch.stored[1].committed, batch.stored[2].committed);
  const auto mark = log().frame_of(3).value();
  EXPECT_EQ(mark.last, Position{4});
  EXPECT_EQ(mark.committed, batch.stored[2].committed);
  EXPECT_EQ(log().frame(mark.frame_number).value()->checksum, mark.checksum);
  EXPECT_FALSE(log().frame(mark.frame_number + 100).value().has_value());
}

TEST_P(LogOn, ATimeIsFoundInAnySegment) {
  append_many(200);
  driver_->run_background();
  for (Position position = 1; position <= log().durable(); position = position.value + 17) {
    const auto time = log().frame_of(position).value().committed;
    const auto found = log().first_at_or_after(time).value();
    EXPECT_LE(found, position);
    EXPECT_EQ(log().frame_of(found).value().committed, time);
    if (found.value > 1) {
      EXPECT_LT(log().frame_of(found.value - 1).value().committed, time);
    }
  }
  const auto newest = log().last_commit_time();
  EXPECT_EQ(log().first_at_or_after(newest + std::chrono::seconds(1)).value(),
            Position{log().durable().value + 1});
  EXPECT_EQ(log().first_at_or_after(Time{}).value(), Position{1});
}

TEST_P(LogOn, AScanMeetsEveryFrameInOrder) {
  append_many(100);
  ASSERT_EQ(driver_->place({{.stream = "s", .data = "t"}}, {{"source", 17}}), "");
  ASSERT_EQ(driver_->finish(), "");
  ASSERT_EQ(driver_->place({}, {{"source", 18}}), "");
  ASSERT_EQ(driver_->finish(), "");
  append_many(100);
  driver_->run_background();
  for (const std::uint64_t from : {std::uint64_t{1}, std::uint64_t{100}, log().durable_frame()}) {
    std::uint64_t next = from, epochs = 0, tracking = 0;
    Position last = from == 1 ? Position{0} : log().frame(from - 1).value()->last;
    const auto scanned = log().scan(from, [&](const ScannedFrame& frame) -> Result<void> {
      EXPECT_EQ(frame.mark.frame_number, next++);
      epochs += frame.kind == FrameKind::kEpoch ? 1 : 0;
      for (const auto& record : frame.records) {
        if (record.kind == RecordKind::kTracking) {
          ++tracking;
          continue;
        }
        EXPECT_EQ(record.position.value, last.value + 1);
        EXPECT_EQ(protocol::data_of(record.payload), driver_->written()[last.value].data);
        last = record.position;
      }
      EXPECT_EQ(frame.mark.last, last);
      return {};
    });
    EXPECT_TRUE(scanned.has_value());
    EXPECT_EQ(next, log().durable_frame() + 1);
    EXPECT_EQ(last, log().durable());
    EXPECT_EQ(epochs, from == 1 ? 1U : 0U);
    EXPECT_EQ(tracking, from == log().durable_frame() ? 0U : 2U);
  }
}

TEST_P(LogOn, TheNewestIdsComeFromFootersAndMemory) {
  append_many(200);
  driver_->run_background();
  for (const std::size_t count : {std::size_t{10}, std::size_t{300}, std::size_t{100'000}}) {
    const auto ids = log().recent_ids(count).value();
    ASSERT_EQ(ids.size(), std::min(count, driver_->written().size()));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto& known = driver_->written()[driver_->written().size() - ids.size() + i];
      ASSERT_EQ(ids[i].position, known.position);
      ASSERT_EQ(ids[i].id, known.id);
      ASSERT_EQ(ids[i].ends_commit, known.position.value % 2 == 0);
    }
  }
}

TEST_P(LogOn, TheWriterSeesEventsInMemoryOnly) {
  append_many(200);
  ASSERT_EQ(driver_->place({{.stream = "s", .data = "new"}}), "");
  const auto record = log().in_memory(log().written());
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(protocol::data_of(record->payload), "new");
  ASSERT_EQ(driver_->finish(), "");
  driver_->run_background();
  EXPECT_FALSE(log().in_memory(1).has_value());
  EXPECT_TRUE(log().in_memory(log().durable()).has_value());
}

TEST_P(LogOn, ASecondProcessFindsItLockedAndByWhom) {
  auto options = log_options(directory_.path() + "/store");
  auto second = open_log(*io_, options);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kLocked);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos)
      << second.error().message;
  driver_->close();
  EXPECT_TRUE(open_log(*io_, options).has_value());
}

TEST_P(LogOn, SeveralMayReadWhatNobodyWrites) {
  append_many(200);
  driver_->run_background();
  append_many(3);
  driver_->drop();
  auto options = log_options(directory_.path() + "/store");
  options.access = Access::kReadOnly;
  auto first = open_log(*io_, options);
  auto second = open_log(*io_, options);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(compare(**first, driver_->written()), "");
  EXPECT_EQ(compare(**second, driver_->written()), "");
  EXPECT_NE(driver_->open(), "");
}

// A witness that is due does not wait until the next segment is zeroed.
TEST_P(LogOn, AWitnessComesBetweenTheSlicesOfTheNextSegment) {
  fixtures::FaultyIo counting(*io_);
  LogDriver driver(counting, log_options(directory_.path() + "/other", std::size_t{16} << 20));
  ASSERT_EQ(driver.open(), "");
  ASSERT_EQ(driver.append("s", "1"), "");
  const auto slices = [&] { return counting.count(fixtures::Operation::kAllocate); };
  const auto writes = [&] { return counting.count(fixtures::Operation::kWrite); };
  const auto begun = slices(), written = writes();
  const auto early = io_->steady() - std::chrono::hours(1);
  while (slices() < begun + 2) ASSERT_TRUE(driver.log().background_step(early).value());
  EXPECT_EQ(writes(), written);
  ASSERT_TRUE(driver.log().background_step(early + std::chrono::hours(2)).value());
  EXPECT_EQ(writes(), written + 1) << "the witness";
  EXPECT_EQ(slices(), begun + 2);
  EXPECT_EQ(driver.log().roll(), Log::Rolled::kNotReady);
  driver.run_background();
  EXPECT_GT(slices(), begun + 3);
  EXPECT_EQ(driver.log().roll(), Log::Rolled::kYes);
}

TEST_P(LogOn, ReadersAndTheBackgroundRunBesideTheDriver) {
  std::atomic<bool> done = false;
  std::vector<std::string> wrong(2);
  {
    std::jthread background([&] {
      while (!done) {
        auto did = log().background_step(io_->steady() + std::chrono::hours(1));
        if (did && !*did) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
    std::vector<std::jthread> readers;
    for (auto& why : wrong)
      readers.emplace_back([&] {
        Position after = 0;
        while ((!done || after < log().durable()) && why.empty()) {
          BatchMemory batch;
          const auto last = log().read_forwards(after, ~std::uint64_t{0}, {.bytes = 50'000}, batch);
          if (!last) why = last.error().message;
          for (const auto& event : batch.stored) {
            if (event.position.value != after.value + 1) why = "a gap";
            after = event.position;
            const auto number = std::to_string((event.position.value - 1) / 2);
            if (event.ends_append && protocol::data_of(event.encoded) != number)
              why = "another event at " + to_string(event.position);
          }
        }
      });
    for (std::size_t i = 0; i < 300; ++i) {
      const std::vector<DrivenEvent> events{{.stream = "s", .data = std::string(8000, 'x')},
                                            {.stream = "s", .data = std::to_string(i)}};
      std::string why = "no segment is prepared";
      while (why == "no segment is prepared") why = driver_->place_when_prepared(events);
      ASSERT_EQ(why, "");
      if (i % 4 == 3) {
        ASSERT_EQ(driver_->finish(), "");
      }
    }
    done = true;
  }
  for (const auto& why : wrong) EXPECT_EQ(why, "");
  EXPECT_EQ(compare(log(), driver_->written()), "");
}

}  // namespace
}  // namespace esdb::storage
