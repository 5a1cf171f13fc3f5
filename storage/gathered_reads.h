// GatheredReads: reads of sealed segments, many at once. Whoever looks something up asks for bytes;
// what is not at hand (nor in the page cache) is noted, and fetch() brings all that was noted
// through a ring in one go. Then one looks again, until nothing is missed: so many look-ups, each
// of which goes from block to block, take as long as the longest of them alone.
//
// RingPool: rings for it, as many as are in use at the same time.
//
// Threads: GatheredReads one; RingPool any.
// Errors:  none: what could not be fetched is left to be read by itself, which says why.
#pragma once

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

class GatheredReads {
 public:
  explicit GatheredReads(Ring& ring) : ring_(ring) {}
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

  Ring& ring_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, Piece> pieces_;
  std::vector<Piece*> noted_;
  bool missed_ = false;
};

class RingPool {
 public:
  explicit RingPool(Io& io) : io_(io) {}

  std::unique_ptr<Ring> take();  // null: there are none here
  void put_back(std::unique_ptr<Ring> ring);

 private:
  Io& io_;
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
