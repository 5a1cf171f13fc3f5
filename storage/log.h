// The log: every durable event, in one order.
//
// A log is a directory of segment files (docs/format.md). Frames are added only at the end of the
// newest segment, which lives in memory and on disk at once; older segments are sealed in the
// background, and their frames never change (a footer that rots is built anew from them).
//
//   sealed            sealed            open
//   [1 ........ 9000) [9000 ... 17200)  [17200 ... durable ... written)
//                                                   └ may be torn after a crash
//
// Invariants: durable() <= written(). A frame never spans two segments. A written unit is never
//             written again. The first frame of a segment is placed when every earlier one is
//             durable.
// Threads:    "writer's driver": one thread at a time. Everything else: any thread, up to
//             durable().
// Errors:     kCorrupt when bytes up to durable() fail their checksum (segment, offset, positions
//             named), kCorrupt with the cause where the device fails a read, kUnavailable where the
//             process is short of descriptors or memory.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "esdb/error.h"
#include "esdb/event.h"
#include "esdb/implement.h"
#include "storage/format.h"
#include "storage/io.h"

namespace esdb::storage {

// What the writer lays out.
struct NewRecord {
  std::span<const std::byte> encoded{};
  std::uint64_t hash{};  // protocol::hash_of(encoded)
  EventId id{};
  std::uint64_t fingerprint{};  // protocol::fingerprint_of(encoded)
  Version version{};
  Position previous{};  // of the same stream
  std::uint32_t ordinal{};
  bool ends_commit{};
};

// A frame as it is to be written: one device write of whole units.
struct FrameWrite {
  File* file{};
  std::uint64_t offset{};
  std::span<const std::byte> bytes{};  // in the arena; stays until the frame is completed
  std::uint64_t frame_number{};
};

// A frame's identity: what the index remembers of how far it has come, and what a checkpoint names.
struct FrameMark {
  std::uint64_t frame_number{};
  Position last{};  // the last position up to and including this frame
  std::uint64_t checksum{};
  Uuid epoch_id{};
  Time committed{};
};

// A record as a scan meets it; views into the scan's buffer.
struct ScannedRecord {
  RecordKind kind{};
  Position position{};  // of an event; of tracking: the last position before it
  Version version{};
  Position previous{};
  std::uint32_t ordinal{};
  bool ends_commit{};
  std::span<const std::byte> payload{};
};
struct ScannedFrame {
  FrameKind kind{};
  FrameMark mark{};
  Uuid parent_epoch_id{};  // kEpoch
  std::span<const ScannedRecord> records{};
  std::size_t bytes{};  // in the log
};

struct ReadBudget {
  std::size_t bytes{};  // of encoded events; at least one event is given
  std::uint64_t events = ~std::uint64_t{0};
};

class SegmentReader;
struct Segment;

class Log {
 public:
  struct State;  // log_state.h; open_log() makes it
  explicit Log(std::unique_ptr<State> state);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // ---- the writer's driver
  // Whether so many content bytes (records with headers and padding) and events still fit into the
  // open segment, its footer included: into the frame that is begun, or a new one where none is.
  bool has_room(std::size_t content_bytes, std::size_t events) const;
  enum class Rolled : std::uint8_t { kYes, kNotReady, kDiskFull };
  Rolled roll();             // nothing is in flight; then has_room() for any append
  bool needs_epoch() const;  // before the first append of this opening
  struct Ended {
    FrameWrite write{};
    FrameMark mark{};
  };
  Ended place_epoch();                          // an own frame; the append's frame follows at once
  void begin_frame(Time commit_time);           // may not be called while one is open
  Position add_event(const NewRecord& record);  // its position
  void add_tracking(std::string_view source, std::uint64_t position, bool ends_commit);
  Ended end_frame();
  // A frame's write is durable; in any order. durable() moves over every frame whose predecessors
  // are all durable. Returns the highest frame number up to which all are durable.
  std::uint64_t complete(std::uint64_t frame_number);

  Position written() const;       // the last position placed
  Time last_commit_time() const;  // of the frame that is begun, or the last one
  std::size_t content_bytes(std::size_t encoded_bytes) const;  // of one record, as placed
  // Bytes of one event in the open segment's memory or one being sealed; nothing when it lies in a
  // sealed file. Also above durable(). Valid until the driver's next call of it or of roll().
  std::optional<ScannedRecord> in_memory(Position position) const;

  // ---- any thread, up to durable()
  Position durable() const { return Position{durable_.load(std::memory_order_acquire)}; }
  std::uint64_t durable_frame() const;
  // A frame whose events durable(), loaded after it, covers; everything acknowledged is in it.
  std::uint64_t covered_frame() const { return covered_frame_.load(std::memory_order_acquire); }

  // Events in (after, up_to], ascending, into `batch`, until the budget is used up. Returns the
  // last position given (or `after`).
  Result<Position> read_forwards(Position after, Position up_to, const ReadBudget& budget,
                                 BatchMemory& batch) const;
  // Events in [down_to, from], descending. Returns the last position given (or from + 1).
  Result<Position> read_backwards(Position from, Position down_to, const ReadBudget& budget,
                                  BatchMemory& batch) const;
  // These events, in the order given, until the budget is used up. Returns how many were given.
  Result<std::size_t> read_each(std::span<const Position> positions, const ReadBudget& budget,
                                BatchMemory& batch) const;
  Result<Position> first_at_or_after(Time time) const;  // durable() + 1 when there is none
  Result<FrameMark> frame_of(Position position) const;  // the frame that holds it
  // The frame with this number, when it is in the log and durable.
  Result<std::optional<FrameMark>> frame(std::uint64_t frame_number) const;

  // Every durable frame from `from_frame` on, in order. The callback's error ends the scan.
  Result<void> scan(std::uint64_t from_frame,
                    const std::function<Result<void>(const ScannedFrame&)>& each) const;
  // The ids of the last `count` events, oldest first and without a gap, from footers and memory;
  // from the frames where a footer is damaged, and only those behind a segment whose frames are,
  // too.
  struct RecentId {
    Position position{};
    EventId id{};
    std::uint64_t fingerprint{};
    bool ends_commit{};
  };
  Result<std::vector<RecentId>> recent_ids(std::size_t count) const;

  // Opens the sealed segments' files anew when they are read next: somebody may have put sound ones
  // in the place of damaged ones.
  void open_files_anew() const;

  // What a sealed segment's footer says, by its number; nothing where it is not sealed.
  std::optional<FooterTail> footer(std::uint32_t number) const;
  // Somebody found its tables damaged: the background builds them anew.
  void doubt_footer(std::uint32_t number) const;

  const Uuid& store_id() const;
  std::uint64_t seed() const;
  Uuid epoch_id() const;        // the newest; zeros before the first append of the store
  std::uint64_t bytes() const;  // of frames, as written
  std::uint64_t segments() const;

  // ---- the background, one thread: one step of what is due (prepare the next segment, seal the
  // last, write a witness); says whether it did something. An error means that the device fails:
  // nothing more may be written. next_due(): when to call again at the latest; complete(), roll()
  // and acknowledged() may move it forwards. A full disk is remembered and retried: disk_full()
  // says so. A store in memory has nobody else to do it: the driver calls it when roll() is not
  // ready.
  Result<bool> background_step(std::chrono::steady_clock::time_point now);
  std::optional<std::chrono::steady_clock::time_point> next_due() const;
  bool disk_full() const;
  // The writer's call after acknowledgements: a witness is due within 100 ms.
  void acknowledged(std::chrono::steady_clock::time_point now);
  // Writes the clean mark when everything placed is durable. Nothing else runs any more.
  Result<void> close();

 private:
  void let_go_of_sealed() const;
  Result<void> add_recent(SegmentReader& reader, const Segment& segment, Position from,
                          std::vector<RecentId>& known, std::vector<RecentId>& ids) const;

  std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::uint64_t> covered_frame_{0};
  std::unique_ptr<State> state_;
};

}  // namespace esdb::storage
