// Arena: the memory of one segment that is not sealed yet: a page-aligned image of its file, and
// the tables that its footer will hold. Addresses are reserved, memory comes when it is touched.
//
//   image     | segment_bytes, as in the file; zeros where nothing was placed |
//   offsets   | u32 an event | ids  | FooterId an event | frames | FooterFrame a frame |
//
// Not inherited by a forked child. A pool keeps those given back, so that their pages need not be
// touched for the first time again.
//
// Threads: Arena: one owner. ArenaPool: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "storage/format.h"

namespace esdb::storage {

class Arena {
 public:
  // Nothing when the system has no address space for it.
  static std::unique_ptr<Arena> make(std::size_t segment_bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  std::size_t segment_bytes() const { return segment_bytes_; }
  std::span<std::byte> image() { return memory_.first(segment_bytes_); }
  std::span<std::uint32_t> offsets() { return offsets_; }
  std::span<FooterId> ids() { return ids_; }
  std::span<FooterFrame> frames() { return frames_; }

  // Makes the image's pages present, so that the first to write there does not wait for them.
  void touch(std::size_t begin, std::size_t end);
  // What was written of the image since it was clear: its begin and its end.
  void mark_used(std::size_t used_to, std::size_t footer_from);
  void clear();

 private:
  Arena(std::span<std::byte> memory, std::size_t segment_bytes);

  const std::span<std::byte> memory_;
  const std::size_t segment_bytes_;
  std::size_t used_to_ = 0;
  std::size_t footer_from_;
  std::span<std::uint32_t> offsets_{};
  std::span<FooterId> ids_{};
  std::span<FooterFrame> frames_{};
};

class ArenaPool {
 public:
  // At most `most` are lent at once by take().
  explicit ArenaPool(std::size_t most) : most_(most) {}

  // Gives it back when it goes. It is cleared when it is taken again, in the taker's thread.
  struct Return {
    std::shared_ptr<ArenaPool> pool{};
    void operator()(Arena* arena) const;
  };
  using Lease = std::unique_ptr<Arena, Return>;

  static Lease take(const std::shared_ptr<ArenaPool>& pool, std::size_t segment_bytes);
  // More than the most, where an opening finds more unsealed segments.
  static Lease take_beyond(const std::shared_ptr<ArenaPool>& pool, std::size_t segment_bytes);

 private:
  void give_back(std::unique_ptr<Arena> arena);

  const std::size_t most_;
  std::mutex mutex_;
  std::size_t lent_ = 0;                        // under mutex_
  std::vector<std::unique_ptr<Arena>> kept_{};  // under mutex_
};

}  // namespace esdb::storage
