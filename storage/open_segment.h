// OpenSegment: a segment that is not sealed: its image in memory, its file, and the tables its
// footer will hold. Frames are built in the image; the disk gets those same bytes.
//
//   prepared (empty, not begun) -> open (the driver places frames) -> full (waits to be sealed)
//
// A crash leaves the last frames torn or missing; recovery reads the file back, cuts behind the
// last frame that is whole, and takes each frame in again.
//
// Invariants: used() <= FooterPlan::begins for what it holds. Entries of a position or frame are
//             written before the log's durable position passes it, and never change.
// Threads:    begin() to take_in(): the writer's driver (recovery before it). image(), offset_of(),
//             frame_at(): any thread, up to what is durable. seal_tables(): the background, when
//             it is full.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "storage/arena.h"
#include "storage/format.h"
#include "storage/frame_check.h"
#include "storage/io.h"
#include "storage/log.h"

namespace esdb::storage {

class OpenSegment {
 public:
  OpenSegment(const SegmentHeader& header, std::unique_ptr<File> file, ArenaPool::Lease arena);
  ~OpenSegment();
  OpenSegment(const OpenSegment&) = delete;
  OpenSegment& operator=(const OpenSegment&) = delete;

  // What the log's frames before this segment end with.
  struct Before {
    Position last{};
    std::uint64_t frame_number{};
    Uuid epoch_id{};
    std::int64_t commit_time{};
  };
  void begin(const Before& before);

  // ---- placing
  // `frames`: how many more, where the one that is begun or would be is not the only one.
  bool has_room(std::size_t content_bytes, std::size_t events, std::size_t frames = 1) const;
  struct NewFrame {
    FrameKind kind{};
    std::int64_t commit_time{};
    Uuid epoch_id{};
  };
  void begin_frame(const NewFrame& frame);
  Position add_event(const NewRecord& record);
  void add_tracking(std::string_view source, std::uint64_t position, bool ends_commit);
  void add_parent_epoch(const Uuid& epoch_id);
  Log::Ended end_frame(std::uint64_t durable_frame);
  bool is_placing() const { return placing_; }

  // ---- recovery: a frame that lies in the image at used() and was checked.
  void take_in(const FrameHeader& header, std::span<const ScannedRecord> records);
  // Zeros the image from used() to here: what recovery cuts.
  void clear_rest(std::uint64_t end);

  // ---- what it holds, as placed
  const SegmentHeader& header() const { return header_; }
  const Before& before() const { return before_; }
  std::uint32_t number() const { return header_.number; }
  File& file() { return *file_; }
  std::uint64_t used() const { return used_; }
  std::uint32_t event_count() const { return event_count_; }
  std::uint32_t frame_count() const { return frame_count_; }
  Position last() const { return before_.last.value + event_count_; }
  std::uint64_t last_frame() const { return before_.frame_number + frame_count_; }
  const Uuid& epoch_id() const { return epoch_id_; }
  std::int64_t commit_time() const { return commit_time_; }
  std::span<const std::byte> image() const { return image_; }
  // Writes nothing that a reader looks at: recovery reads into it, the footer is built in it.
  std::span<std::byte> writable_image() { return image_; }
  void touch(std::size_t begin, std::size_t end) { arena_->touch(begin, end); }

  // index: from the segment's first event or frame.
  std::uint32_t offset_entry(std::size_t index) const { return arena_->offsets()[index]; }
  const FooterId& id_entry(std::size_t index) const { return arena_->ids()[index]; }
  const FooterFrame& frame_entry(std::size_t index) const { return arena_->frames()[index]; }
  std::span<const std::byte> bytes_of_offsets() const;
  std::span<const std::byte> bytes_of_ids() const;
  std::span<const std::byte> bytes_of_frames() const;

 private:
  void note_event(std::uint64_t offset, bool ends_commit, const FooterId& id);
  void note_frame(const FrameHeader& header);
  void place(RecordHeader header, std::uint64_t payload_hash, Position position);

  const SegmentHeader header_;
  const std::unique_ptr<File> file_;
  const ArenaPool::Lease arena_;
  const std::span<std::byte> image_;
  Before before_{};
  std::uint64_t used_ = 0;  // the next frame's offset
  std::uint32_t event_count_ = 0;
  std::uint32_t frame_count_ = 0;
  Uuid epoch_id_{};
  std::int64_t commit_time_ = 0;

  bool placing_ = false;
  FrameHeader placed_{};
  std::uint64_t at_ = 0;  // the next record's offset
};

}  // namespace esdb::storage
