// What Log is made of. Included by the files that implement it and by recovery, which fills it.
//
// Threads: each group of members says whose it is.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "storage/arena.h"
#include "storage/gathered_reads.h"
#include "storage/log.h"
#include "storage/open_segment.h"
#include "storage/recovery.h"
#include "storage/segment_file.h"
#include "storage/segment_list.h"
#include "storage/segment_reader.h"

namespace esdb::storage {

struct Log::State {
  State(Io& io_used, LogOptions options_given);

  // ---- never changes once the log is open
  Io& io;
  const LogOptions options;
  const std::string directory;  // of the segments
  Uuid store_id{};
  std::uint64_t seed{};
  BlockSizes blocks{};
  std::uint32_t unit_bytes{};
  std::unique_ptr<File> lock{};
  std::shared_ptr<ArenaPool> arenas{};
  mutable FileCache files;
  mutable RingPool read_rings;

  // ---- any thread
  std::atomic<std::uint64_t> durable_frame{0};
  std::atomic<std::uint64_t> bytes{0};
  mutable std::mutex mutex;
  std::shared_ptr<const SegmentList> list{};            // under mutex
  std::deque<std::shared_ptr<OpenSegment>> prepared{};  // under mutex; in order of number
  Uuid durable_epoch{};                                 // under mutex
  bool disk_is_full = false;                            // under mutex
  std::optional<std::chrono::steady_clock::time_point> prepare_again{};  // under mutex
  std::optional<std::chrono::steady_clock::time_point> witness_due{};    // under mutex
  std::optional<std::chrono::steady_clock::time_point> mend_again{};     // under mutex
  bool wants_next = false;  // under mutex: the open segment holds a frame, or is too small

  // ---- the writer's driver
  std::shared_ptr<OpenSegment> open{};
  std::shared_ptr<const SegmentList> drivers_list{};  // what in_memory() gives views into
  bool needs_epoch = true;
  struct InFlight {
    FrameMark mark{};
    std::size_t bytes{};
    bool is_epoch = false;
    bool done = false;
  };
  std::deque<InFlight> in_flight{};  // laid out, not durable, by frame number

  // ---- the background
  std::uint64_t witness_sequence = 0;
  unsigned witness_next = 0;  // which of the two is written next
  std::uint32_t witness_segment = 0;
  std::uint64_t witness_frame = 0;
  bool witness_clean = false;
  struct Touched {
    std::uint32_t segment{};
    std::uint64_t to{};
  };
  struct Making {
    SegmentMaking making;
    ArenaPool::Lease arena;
  };
  std::unique_ptr<Making> next_segment{};  // being zeroed
  std::array<Touched, 2> touched_to{};  // how far pages were made present: open segment, next one

  std::shared_ptr<const SegmentList> segments() const {
    std::lock_guard lock_guard(mutex);
    return list;
  }
  void say(std::string_view line) const {
    if (options.log) options.log(line);
  }
  Result<bool> write_due_witness(std::chrono::steady_clock::time_point now);
  Result<void> put_witness(bool clean);
  Result<bool> seal_oldest();
  Result<void> check_in_place(const OpenSegment& segment) const;
  Result<bool> prepare_next(std::chrono::steady_clock::time_point now);
  bool begin_next(std::chrono::steady_clock::time_point now, const SegmentList& current);
  bool touch_ahead();
  bool mend_doubted_footer(std::chrono::steady_clock::time_point now);
};

// What a reader sees: the segments and the end, taken in the order that makes them fit.
class ReadScope {
 public:
  explicit ReadScope(const Log& log, const Log::State& state);

  const SegmentList& list() const { return *list_; }
  Position last() const { return end_.last; }
  std::uint64_t last_frame() const { return end_.frame_number; }
  std::size_t size() const { return list_->segments.size(); }
  SegmentReader reader(std::size_t index) const;
  SegmentReader reader_of(Position position) const { return reader(list_->of_position(position)); }

 private:
  const Log::State& state_;
  SegmentEnd end_{};
  std::shared_ptr<const SegmentList> list_;
};

}  // namespace esdb::storage
