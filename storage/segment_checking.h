// Checking one sealed segment, a little at a time: every frame, and every block of its footer, read
// from the device and not from the page cache, so that what has rotted is met, and nothing that
// readers use is pushed out of memory.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/aligned_bytes.h"
#include "storage/format.h"
#include "storage/io.h"
#include "storage/segment_reader.h"

namespace esdb::storage {

class SegmentChecking {
 public:
  static constexpr std::size_t kStepBytes = std::size_t{1} << 20;

  struct Found {
    std::uint64_t offset{};
    Positions positions{};  // `to` below `from`: no event
    std::string what{};
  };

  // `file`: null where it cannot be opened, which `why_not` says.
  SegmentChecking(const FooterTail& tail, std::uint64_t seed, std::unique_ptr<File> file,
                  const std::string& why_not = {});

  // Reads so many bytes at the most and checks what is whole of them. Returns how many were read,
  // an error only where the machine is short of something just now: again later.
  IoResult<std::size_t> step();
  bool done() const { return phase_ == Phase::kDone; }

  std::uint32_t number() const { return tail_.segment; }
  const std::vector<Found>& found() const { return found_; }
  bool footer_is_damaged() const { return footer_damaged_; }  // of its tables

 private:
  enum class Phase : std::uint8_t { kBegin, kFrames, kTables, kTail, kDone };

  IoResult<std::size_t> begin();
  void go_to(std::uint64_t offset);
  IoResult<std::size_t> read_on(std::uint64_t end);
  void check_frames();
  bool check_frame();
  void check_tables();
  IoResult<std::size_t> check_tail();
  void end_frames();
  void damage(std::uint64_t offset, std::string what);
  void settle_positions(Position behind);
  std::span<const std::byte> bytes() const {
    return std::as_bytes(std::span(pending_)).subspan(used_, filled_ - used_);
  }

  const FooterTail tail_;
  const std::uint64_t seed_;
  const std::unique_ptr<File> file_;
  Phase phase_ = Phase::kBegin;
  AlignedBytes chunk_{kStepBytes};
  std::vector<std::uint64_t> pending_{};  // read, up to filled_; checked, up to used_
  std::size_t filled_ = 0, used_ = 0;
  std::uint64_t at_ = 0;          // in the file, of what is checked next
  std::uint64_t read_to_ = 0;     // in the file
  std::uint64_t careful_to_ = 0;  // up to there sector by sector: the device failed
  std::size_t skip_ = 0;          // of the next read: what lies before what is wanted
  std::uint64_t tables_end_ = 0;
  Position next_{};  // of the next event
  std::uint64_t next_frame_ = 0;
  std::string unreadable_{};  // what the device answered
  bool in_damage_ = false;    // found() has a last one that the next whole frame bounds
  std::vector<Found> found_{};
  bool footer_damaged_ = false;
};

}  // namespace esdb::storage
