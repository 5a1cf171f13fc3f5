// Power losses of the log, simulated: whatever the device did of the writes under way, what was
// answered is there, what was shown stays, and appends are there wholly or not at all. Crashes of
// the recovery from a crash included.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "tests/fixtures/crashing_io.h"
#include "tests/storage/log_driver.h"

namespace esdb::storage {
namespace {

using fixtures::CrashingIo;

LogOptions crash_options() { return log_options("store"); }

// One store through many power losses.
class CrashRun {
 public:
  explicit CrashRun(std::uint64_t seed) : random_(seed), io_(std::make_unique<CrashingIo>(seed)) {}

  // "" or what was wrong.
  std::string run(int crashes) {
    driver_ = std::make_unique<LogDriver>(*io_, crash_options());
    if (auto why = driver_->open(); !why.empty()) return why;
    for (int crash = 0; crash < crashes; ++crash) {
      io_->fail_after(random_() % 60 + 1);
      work();
      if (auto why = restart(); !why.empty())
        return "after crash " + std::to_string(crash) + ": " + why;
    }
    return "";
  }

 private:
  // Appends, background steps, closings, until the power fails.
  void work() {
    while (!io_->has_failed()) {
      switch (random_() % 10) {
        case 0:
          step_background();
          break;
        case 1:
          step_background();
          break;
        case 2:
          if (random_() % 8 == 0) reopen();
          break;
        default:
          append();
      }
      if (!driver_) return;
    }
  }

  void append() {
    for (auto frames = random_() % 3 + 1; frames > 0; --frames) {
      std::vector<DrivenEvent> events(random_() % 3 + 1);
      for (auto& event : events) {
        event.stream = "stream-" + std::to_string(random_() % 5);
        event.data.assign(random_() % 4 == 0 ? random_() % 60'000 : random_() % 600, 'x');
      }
      if (!driver_->place(events).empty()) break;
      ends_.insert(driver_->written().size());
    }
    static_cast<void>(driver_->finish());
    shown_ = std::max(shown_, driver_->log().durable().value);
  }

  void step_background() {
    auto did = driver_->log().background_step(io_->steady() + std::chrono::hours(1));
    static_cast<void>(did);  // an error says that the power failed
  }

  void reopen() {
    if (!driver_->log().close()) return;
    driver_->drop();
    written_ = driver_->written();
    if (!driver_->open().empty()) driver_.reset();
  }

  // The power is back; it may fail again while the log is recovered.
  std::string restart() {
    auto written = driver_ ? driver_->written() : written_;
    driver_.reset();
    for (;;) {
      io_ = io_->restarted(random_());
      driver_ = std::make_unique<LogDriver>(*io_, crash_options());
      if (random_() % 4 == 0) io_->fail_after(random_() % 6 + 1);
      const auto why = driver_->open();
      if (why.empty()) break;
      driver_.reset();
      if (!io_->has_failed()) return why;
    }
    io_->fail_after(~std::uint64_t{0});
    return check(std::move(written));
  }

  std::string check(std::vector<WrittenEvent> written) {
    const auto durable = driver_->log().durable().value;
    if (durable < shown_)
      return "positions up to " + std::to_string(shown_) + " were shown, up to " +
             std::to_string(durable) + " are there";
    if (durable > written.size()) return "more is there than was written";
    if (durable > 0 && !ends_.contains(durable)) return "half an append is there";
    driver_->take_over(std::move(written));
    std::erase_if(ends_, [durable](std::size_t end) { return end > durable; });
    shown_ = durable;
    return compare(driver_->log(), driver_->written(), 1 << 20);
  }

  std::mt19937_64 random_;
  std::unique_ptr<CrashingIo> io_;
  std::unique_ptr<LogDriver> driver_{};
  std::vector<WrittenEvent> written_{};  // of a driver that is gone
  std::set<std::size_t> ends_{};         // positions that end an append
  std::uint64_t shown_ = 0;
};

TEST(Crash, WhatWasShownSurvivesPowerLossesAtAnyPoint) {
  const auto first = std::random_device{}();
  for (std::uint64_t seed = first; seed < first + std::uint64_t{60}; ++seed)
    ASSERT_EQ(CrashRun(seed).run(12), "") << "seed " << seed;
}

}  // namespace
}  // namespace esdb::storage
