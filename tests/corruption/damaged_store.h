// DamagedStore: a small store of sealed segments in memory, whose files a test damages, and what
// verify, a reader and an opening for writing make of it: no event that was never written, no event
// missing without an error, and the error says where.
//
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/log.h"
#include "tests/fixtures/simulated_io.h"
#include "tests/simulation/simulated_store.h"

namespace esdb::corruption {

class DamagedStore {
 public:
  static constexpr std::size_t kSegmentBytes = std::size_t{64} << 10;
  static constexpr std::uint32_t kSealed = 2;  // segments 1 and 2, of three

  explicit DamagedStore(std::uint64_t seed);

  // The sealed segment's bytes as they are now.
  std::span<std::byte> segment(std::uint32_t number) { return machine_->bytes_of(path(number)); }
  void resize(std::uint32_t number, std::size_t bytes) { machine_->resize(path(number), bytes); }
  void restore(std::uint32_t number);  // as it was before
  // Segment 1 as it was while it was being written, the first of all first.
  const std::vector<std::vector<std::byte>>& earlier() const { return earlier_; }

  struct Seen {
    bool detected = false;       // by verify, which names the segment
    bool refused = false;        // the store does not open
    std::uint64_t unreadable{};  // events that are answered with an error
  };
  // "" or what was answered wrongly.
  std::string look(std::uint32_t number, Seen& seen);
  // Opens a copy for writing, mends what can be mended, and reads it all.
  std::string look_at_mended(std::uint32_t number);

 private:
  static std::string path(std::uint32_t number);
  std::string verify(std::uint32_t number, Seen& seen);
  std::string read_all(const storage::Log& log, std::uint32_t number, Seen& seen);
  std::string read_ids(const storage::Log& log) const;
  std::string refused(const Error& error, std::uint32_t number) const;
  std::string told(const RecordedEvent::Stored& stored) const;
  bool is_true(const RecordedEvent::Stored& stored) const;

  std::unique_ptr<fixtures::SimulatedIo> machine_;
  simulation::Ledger ledger_{};
  std::vector<simulation::Asked::Event> events_{};  // by position from 1
  std::vector<std::uint64_t> versions_{};
  std::vector<std::vector<std::byte>> whole_{};  // the sealed segments, from 1
  std::vector<std::vector<std::byte>> earlier_{};
};

}  // namespace esdb::corruption
