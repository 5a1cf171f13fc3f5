// SegmentList: the log's segments at one moment, in order; and the sealed ones' open files, with
// what readers remember of their footers, and what they found wrong with them.
//
// Threads: a list is immutable; FileCache: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/footer_cache.h"
#include "storage/format.h"
#include "storage/io.h"
#include "storage/open_segment.h"
#include "storage/recently_used.h"

namespace esdb::storage {

// One of the two is set. What lies in a sealed one is known by its footer alone.
struct Segment {
  std::uint32_t number{};
  Position first{};             // of its first event, or of the next one where it has none
  std::uint64_t first_frame{};  // likewise
  std::shared_ptr<OpenSegment> open{};
  std::shared_ptr<const FooterTail> sealed{};
};

Segment segment_of(std::shared_ptr<OpenSegment> open);
Segment segment_of(const FooterTail& tail);

struct SegmentList {
  std::vector<Segment> segments{};  // never empty

  // The index of the segment that would hold it.
  std::size_t of_position(Position position) const;
  std::size_t of_frame(std::uint64_t frame_number) const;
};

// Sealed segments' files, opened when they are needed; those not used for longest are closed.
class FileCache {
 public:
  // `footer_blocks`: so many are remembered.
  FileCache(Io& io, std::string directory, std::size_t footer_blocks = 0)
      : io_(io), directory_(std::move(directory)), footers_(footer_blocks) {}

  IoResult<std::shared_ptr<File>> open(std::uint32_t number);

  FooterCache& footers() { return footers_; }
  // Closes them all: what is opened next is what lies at their paths then.
  void forget();

  // Somebody found a segment's footer damaged: the background builds it anew, once.
  void doubt_footer(std::uint32_t number);
  std::optional<std::uint32_t> doubted_footer() const;
  enum class Settled : std::uint8_t { kMended, kHopeless };  // kHopeless: not to be tried again
  void settle_doubt(std::uint32_t number, Settled how);

 private:
  static constexpr std::size_t kOpenFilesMax = 128;

  Io& io_;
  const std::string directory_;
  FooterCache footers_;
  mutable std::mutex mutex_;
  RecentlyUsed<std::shared_ptr<File>> files_{kOpenFilesMax};  // under mutex_
  std::set<std::uint32_t> doubted_{}, hopeless_{};            // under mutex_
};

}  // namespace esdb::storage
