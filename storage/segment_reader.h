// SegmentReader: one segment as one reader sees it, sealed or not: where an event lies, which frame
// holds it, the bytes. Remembers the footer blocks it has read.
//
// Where a footer is damaged, the frames themselves say what it should: they are the truth. It takes
// longer, and the background is told to build the footer anew.
//
// Threads: one.
// Errors:  kCorrupt: segment, offset, positions, cause. kUnavailable: the process is short of
//          descriptors or memory, and nothing is wrong with the store.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "esdb/error.h"
#include "storage/footer.h"
#include "storage/segment_frames.h"
#include "storage/segment_list.h"

namespace esdb::storage {

// Where a segment ends for one reader: at the next segment's beginning, the last at what was
// durable when the reading began.
struct SegmentEnd {
  Position last{};
  std::uint64_t frame_number{};
};

struct Positions {
  Position from{};
  Position to{};
};

class GatheredReads;

class SegmentReader {
 public:
  SegmentReader(const Segment& segment, const SegmentEnd& end, std::uint64_t seed,
                FileCache& files);

  std::uint32_t number() const { return segment_.number; }
  Position first() const { return segment_.first; }
  Position last() const { return segment_.first.value + events_ - 1; }  // first - 1: none
  std::uint64_t first_frame() const { return segment_.first_frame; }
  std::size_t events() const { return events_; }
  std::size_t frames() const { return frames_; }
  std::uint32_t unit_bytes() const;
  std::uint64_t seed() const { return seed_; }

  // Of a segment in memory: its bytes, valid while the segment is held.
  bool is_in_memory() const { return segment_.open != nullptr; }
  std::span<const std::byte> image() const { return segment_.open->image(); }

  struct EventPlace {
    std::uint64_t offset{};  // of its record
    bool ends_commit{};
  };
  Result<EventPlace> event_place(Position position);
  // Events from `from` on whose places are at hand without more reading.
  std::size_t places_at_hand(Position from) const;
  Result<FooterId> event_id(Position position);

  std::int64_t first_commit_time() const;  // there is a frame
  Result<FooterFrame> frame(std::size_t index);
  Result<std::size_t> frame_of(Position position);  // the index of the frame that holds it
  // The index of the first frame committed at or after it; frames() when there is none.
  Result<std::size_t> frame_since(Time time);
  Result<FrameHeader> frame_header(std::size_t index);
  // Behind the last record that may be shown.
  Result<std::uint64_t> content_end();
  // Behind the last frame's last unit, in a sealed file perhaps of one that may not be shown yet:
  // as good a bound for the record of one event, and at hand.
  Result<std::uint64_t> frames_end();
  Result<std::uint64_t> first_frame_offset();

  // From now on bytes of the file come from there: what is not at hand yet is an error until it is
  // fetched. Null: they are read.
  void gather(GatheredReads* reads) { gathered_ = reads; }
  // Bytes of the file or the image. `positions`: what an error says is touched.
  Result<void> read(std::uint64_t offset, std::span<std::byte> into, const Positions& positions);

  std::unexpected<Error> damaged(std::uint64_t offset, const Positions& positions,
                                 std::string_view why) const;

 private:
  struct CachedBlock {
    std::uint64_t at{};
    std::shared_ptr<const FooterBlock> bytes{};
  };
  Result<const std::byte*> footer_entry(std::uint64_t table_at, std::size_t index,
                                        std::size_t entry_bytes);
  Result<SegmentFrames::Event> event_from_frames(Position position);
  bool doubts_footer(const Error& error);
  Result<void> open_file();
  std::unexpected<Error> failed(std::uint64_t offset, const Positions& positions,
                                std::string_view what, IoError error) const;

  const Segment segment_;
  const std::uint64_t seed_;
  FileCache& files_;
  std::size_t events_ = 0;
  std::size_t frames_ = 0;
  std::shared_ptr<File> file_{};
  std::uint64_t content_end_ = 0;  // once it is known
  std::vector<CachedBlock> blocks_{};
  SegmentFrames frames_themselves_{};
  GatheredReads* gathered_ = nullptr;
};

}  // namespace esdb::storage
