// GatheredReads: reads of sealed segments, many at once. Whoever looks something up asks for bytes;
// what is not at hand (nor in the page cache) is noted, and fetch() brings all that was noted
// through a ring in one go. Then one looks again, until nothing is missed: so many look-ups, each
// of which goes from block to block, take as long as the longest of them alone.
//
// RingPool: rings for it, as many as are in use at the same time.
//
// ReadsInFlight: how many reads all of them together have with the device. What is appended
// meanwhile waits behind them, in the device's queue and for a processor: sixteen readers with a
// ring full each made it wait for 500 reads. Beside appends there are fewer still: an append's
// median beside sixteen readers is 0.4 ms with 4 reads and 1.3 ms with 32, for a sixth of the reads
// (two processors, a device with a queue of its own).
//
// Threads: GatheredReads one; RingPool, ReadsInFlight any.
// Errors:  none: what could not be fetched is left to be read by itself, which says why.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "storage/io.h"

namespace esdb::storage {

inline constexpr unsigned kReadsAtOnce = 32;
inline constexpr std::size_t kReadsBesideAppends = 4;
// Behind the last append, in batches of reads begun: a few milliseconds of busy readers.
inline constexpr int kBatchesBesideAppends = 64;

class ReadsInFlight {
 public:
  explicit ReadsInFlight(std::size_t most) : most_(most) {}

  // Waits until any may begin: how many of those wanted.
  std::size_t begin(std::size_t wanted);
  void end(std::size_t count);
  // Something is appended: the next batches are to be small.
  void give_way() { beside_appends_.store(kBatchesBesideAppends, std::memory_order_relaxed); }

 private:
  std::size_t most() const;

  const std::size_t most_;
  std::atomic<int> beside_appends_{0};  // batches still to be small
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t count_ = 0;  // under mutex_
};

class GatheredReads {
 public:
  GatheredReads(Ring& ring, ReadsInFlight& in_flight) : ring_(ring), in_flight_(in_flight) {}
  GatheredReads(const GatheredReads&) = delete;
  GatheredReads& operator=(const GatheredReads&) = delete;

  enum class Answer : std::uint8_t {
    kHere,    // copied
    kMissed,  // noted
    kAlone,   // fetching it failed: to be read by itself
  };
  Answer take(std::uint32_t segment, const std::shared_ptr<File>& file, std::uint64_t offset,
              std::span<std::byte> into);
  // Whether something was missed since the last call.
  bool missed() { return std::exchange(missed_, false); }
  // Fetches what was noted; false: nothing was.
  bool fetch();

 private:
  struct Piece {
    std::shared_ptr<File> file{};
    std::uint64_t offset{};
    std::unique_ptr<std::byte[]> bytes{};
    std::size_t size{};
    enum class State : std::uint8_t { kNoted, kHere, kFailed } state{};
  };

  void read_noted(std::size_t from, std::size_t count);

  Ring& ring_;
  ReadsInFlight& in_flight_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, Piece> pieces_;
  std::vector<Piece*> noted_;
  bool missed_ = false;
};

class RingPool {
 public:
  explicit RingPool(Io& io) : io_(io) {}

  std::unique_ptr<Ring> take();  // null: there are none here
  void put_back(std::unique_ptr<Ring> ring);
  ReadsInFlight& in_flight() { return in_flight_; }

 private:
  Io& io_;
  ReadsInFlight in_flight_{kReadsAtOnce};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Ring>> free_;
  bool none_ = false;
};

// A ring of a pool, for as long as this lives; none where it is not wanted.
class LentRing {
 public:
  LentRing(RingPool& pool, bool wanted) : pool_(pool), ring_(wanted ? pool.take() : nullptr) {}
  ~LentRing() {
    if (ring_) pool_.put_back(std::move(ring_));
  }
  LentRing(const LentRing&) = delete;
  LentRing& operator=(const LentRing&) = delete;
  Ring* get() const { return ring_.get(); }

 private:
  RingPool& pool_;
  std::unique_ptr<Ring> ring_;
};

}  // namespace esdb::storage
