// Scrub: reads every sealed segment again and again, slowly, so that rot is found while a backup of
// what it hit may still be there.
//
// A pass begins a week after the one before began, or after the store's first event, and reads what
// is sealed, a megabyte every tenth of a second. Damage is said once, with its place, and counted;
// nothing else changes: what is damaged answers `corrupt` when it is read, everything else is
// served. The tables of a footer are built anew (footer_mending.h). <store>/scrub remembers where
// a pass stands, when it began, and which segments were damaged: those are looked at first after
// the next opening.
//
// Threads: step(): the background. damaged_segments(): any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "storage/log.h"
#include "storage/segment_checking.h"

namespace esdb::storage {

struct ScrubPace {
  std::chrono::nanoseconds every = std::chrono::hours(7 * 24);
  std::uint64_t bytes_per_second = 10'000'000;
};

class Scrub {
 public:
  // `directory`: the store's. References outlive this.
  Scrub(Io& io, const Log& log, std::string directory,
        std::function<void(std::string_view)> say = {}, const ScrubPace& pace = {});

  // A megabyte of what is due, if it is time for it; says whether it did something.
  bool step(std::chrono::steady_clock::time_point now);
  std::uint64_t damaged_segments() const { return damaged_count_.load(std::memory_order_relaxed); }

 private:
  void remember();
  void recall();
  bool choose();
  bool begin_pass();
  void look_at(const FooterTail& tail);
  void finish();
  void tell(const SegmentChecking::Found& found) const;
  std::string path_of(std::uint32_t number) const;

  Io& io_;
  const Log& log_;
  const std::string directory_;
  const std::function<void(std::string_view)> say_;
  const ScrubPace pace_;
  std::chrono::steady_clock::time_point due_{};
  std::int64_t began_ = 0;             // the last pass; nanoseconds since 1970
  std::uint32_t next_ = 0;             // of the pass; 0: none is on
  std::deque<std::uint32_t> first_{};  // to be looked at before anything else
  bool in_pass_ = false;               // what is being checked is the pass's
  std::unique_ptr<SegmentChecking> checking_{};
  std::set<std::uint32_t> damaged_{};
  std::atomic<std::uint64_t> damaged_count_{0};
};

}  // namespace esdb::storage
