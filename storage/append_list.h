// Lists that one thread appends to while others read: the postings of a generation's terms, and the
// positions of its tracking sources. And the memory they and their terms lie in.
//
// A value is written first, then the count is published; a reader that has seen a count may read
// every value below it. Values never move: the first few lie in the list itself, the others in
// chunks of doubling size.
//
// Threads: ListArena and AppendList::add(): one writer. Everything else: any thread.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

#include "storage/check.h"
#include "storage/mapped_memory.h"

namespace esdb::storage {

// Memory that is handed out in pieces and freed at once.
class ListArena {
 public:
  static constexpr std::size_t kFirstBlock = std::size_t{16} << 10;
  static constexpr std::size_t kBlockMax = std::size_t{1} << 20;

  // 8-byte aligned, not cleared.
  void* allocate(std::size_t bytes) {
    bytes = (bytes + 7) & ~std::size_t{7};
    if (bytes > left_) [[unlikely]]
      add_block(bytes);
    std::byte* piece = next_;
    next_ += bytes;
    left_ -= bytes;
    return piece;
  }
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void add_block(std::size_t at_least) {
    std::size_t size = block_bytes_ == 0 ? kFirstBlock : block_bytes_ * 2;
    size = size < kBlockMax ? size : kBlockMax;
    block_bytes_ = size;
    size = size < at_least ? at_least : size;
    if (size < kMappedFrom) {
      small_blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
      next_ = small_blocks_.back().get();
    } else {
      large_blocks_.emplace_back(size);
      next_ = static_cast<std::byte*>(large_blocks_.back().data());
    }
    left_ = size;
    bytes_.fetch_add(size, std::memory_order_relaxed);
  }

  static constexpr std::size_t kMappedFrom = std::size_t{128} << 10;

  std::vector<std::unique_ptr<std::byte[]>> small_blocks_;
  std::vector<MappedMemory> large_blocks_;
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t block_bytes_ = 0;
  std::atomic<std::size_t> bytes_{0};
};

template <class T, std::uint32_t kInline>
class AppendList {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

  struct Chunk {
    Chunk* previous;
    std::uint32_t level;
    T* values() { return reinterpret_cast<T*>(this + 1); }
    const T* values() const { return reinterpret_cast<const T*>(this + 1); }
  };
  static_assert(sizeof(Chunk) % alignof(T) == 0);

  // Chunk `level` holds kFirst << level values.
  static constexpr std::uint32_t kFirst = 4;
  static constexpr std::uint32_t level_of(std::uint32_t behind_inline) {
    return static_cast<std::uint32_t>(std::bit_width(behind_inline / kFirst + 1)) - 1;
  }
  static constexpr std::uint32_t begin_of(std::uint32_t level) {
    return kFirst * ((1U << level) - 1);
  }

 public:
  // ---- writer
  void add(ListArena& arena, const T& value) {
    const std::uint32_t at = count_.load(std::memory_order_relaxed);
    if (at < kInline) {
      inline_[at] = value;
    } else {
      const std::uint32_t rest = at - kInline, level = level_of(rest), begin = begin_of(level);
      if (rest == begin) [[unlikely]]
        add_chunk(arena, level);
      last_.load(std::memory_order_relaxed)->values()[rest - begin] = value;
    }
    count_.store(at + 1, std::memory_order_release);
  }

  // ---- any thread
  std::uint32_t count() const { return count_.load(std::memory_order_acquire); }
  // The last of the first `count` values; 0 < count <= count(). Cheap where that is among the
  // newest.
  const T& last_of(std::uint32_t count) const {
    if (count <= kInline) return inline_[count - 1];
    const std::uint32_t rest = count - 1 - kInline, level = level_of(rest);
    const Chunk* chunk = last_.load(std::memory_order_acquire);
    while (chunk->level != level) chunk = chunk->previous;
    return chunk->values()[rest - begin_of(level)];
  }

  // The values there were when it was made.
  class View {
   public:
    View() = default;
    explicit View(const AppendList& list) : inline_(list.inline_.data()), count_(list.count()) {
      if (count_ <= kInline) return;
      const std::uint32_t levels = level_of(count_ - 1 - kInline) + 1;
      chunks_.resize(levels);
      for (const Chunk* chunk = list.last_.load(std::memory_order_acquire); chunk != nullptr;
           chunk = chunk->previous)
        if (chunk->level < levels) chunks_[chunk->level] = chunk->values();
    }
    std::uint32_t count() const { return count_; }
    const T& operator[](std::uint32_t at) const {
      if (at < kInline) return inline_[at];
      const std::uint32_t rest = at - kInline, level = level_of(rest);
      return chunks_[level][rest - begin_of(level)];
    }
    // The first index in [from, count()) whose value `is_at_least` accepts; count() when none. The
    // values are ascending.
    template <class Predicate>
    std::uint32_t first_where(std::uint32_t from, const Predicate& is_at_least) const {
      std::uint32_t low = from, high = count_;
      for (std::uint32_t step = 1; low + step < high; step *= 2) {  // near `from`, most often
        if (is_at_least((*this)[low + step - 1])) {
          high = low + step - 1;
          break;
        }
        low += step;
      }
      while (low < high) {
        const std::uint32_t middle = low + (high - low) / 2;
        if (is_at_least((*this)[middle]))
          high = middle;
        else
          low = middle + 1;
      }
      return low;
    }
    void cut(std::uint32_t count) { count_ = count; }

   private:
    const T* inline_ = nullptr;
    std::uint32_t count_ = 0;
    std::vector<const T*> chunks_;
  };

 private:
  void add_chunk(ListArena& arena, std::uint32_t level) {
    ESDB_CHECK(level < 29);
    void* memory = arena.allocate(sizeof(Chunk) + sizeof(T) * (std::size_t{kFirst} << level));
    auto* chunk = new (memory) Chunk{last_.load(std::memory_order_relaxed), level};
    last_.store(chunk, std::memory_order_release);
  }

  std::atomic<std::uint32_t> count_{0};
  std::array<T, kInline> inline_{};
  std::atomic<Chunk*> last_{nullptr};
};

}  // namespace esdb::storage
