#include "storage/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/check.h"

namespace esdb::storage {
namespace {

// No event is smaller, header included, and no frame: capacities that a segment cannot exceed.
constexpr std::size_t kRecordBytesMin = sizeof(RecordHeader) + 8;
constexpr std::size_t kFrameBytesMin = sizeof(FrameHeader);

constexpr std::size_t kPage = 4096;

constexpr std::size_t events_max(std::size_t segment_bytes) {
  return segment_bytes / kRecordBytesMin + 1;
}
constexpr std::size_t frames_max(std::size_t segment_bytes) {
  return segment_bytes / kFrameBytesMin + 1;
}

template <class T>
std::span<T> table(std::span<std::byte> memory, std::size_t& at, std::size_t entries) {
  std::span<T> result(reinterpret_cast<T*>(memory.data() + at), entries);
  at += padded(entries * sizeof(T), kPage);
  return result;
}

}  // namespace

std::unique_ptr<Arena> Arena::make(std::size_t segment_bytes) {
  const auto events = events_max(segment_bytes);
  const auto size = padded(segment_bytes, kPage) + padded(events * sizeof(std::uint32_t), kPage) +
                    padded(events * sizeof(FooterId), kPage) +
                    padded(frames_max(segment_bytes) * sizeof(FooterFrame), kPage);
  auto* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  // In flight to the device while it is written: a child's copy would tear it from its parent.
  ::madvise(memory, size, MADV_DONTFORK);
  return std::unique_ptr<Arena>(
      new Arena(std::span(static_cast<std::byte*>(memory), size), segment_bytes));
}

Arena::Arena(std::span<std::byte> memory, std::size_t segment_bytes)
    : memory_(memory), segment_bytes_(segment_bytes), footer_from_(segment_bytes) {
  auto at = padded(segment_bytes, kPage);
  offsets_ = table<std::uint32_t>(memory, at, events_max(segment_bytes));
  ids_ = table<FooterId>(memory, at, events_max(segment_bytes));
  frames_ = table<FooterFrame>(memory, at, frames_max(segment_bytes));
  ESDB_CHECK(at == memory.size());
}

Arena::~Arena() { ::munmap(memory_.data(), memory_.size()); }

void Arena::touch(std::size_t begin, std::size_t end) {
  begin = begin / kPage * kPage;
  end = padded(end, kPage);
  ESDB_CHECK(begin <= end && end <= padded(segment_bytes_, kPage));
  // An old kernel without it only makes the first write to each page slower.
  if (begin < end) ::madvise(memory_.data() + begin, end - begin, MADV_POPULATE_WRITE);
}

void Arena::mark_used(std::size_t used_to, std::size_t footer_from) {
  ESDB_CHECK(used_to <= footer_from && footer_from <= segment_bytes_);
  used_to_ = std::max(used_to_, used_to);
  footer_from_ = std::min(footer_from_, footer_from);
}

void Arena::clear() {
  std::memset(memory_.data(), 0, used_to_);
  std::memset(memory_.data() + footer_from_, 0, segment_bytes_ - footer_from_);
  used_to_ = 0;
  footer_from_ = segment_bytes_;
}

void ArenaPool::Return::operator()(Arena* arena) const {
  pool->give_back(std::unique_ptr<Arena>(arena));
}

void ArenaPool::give_back(std::unique_ptr<Arena> arena) {
  std::lock_guard lock(mutex_);
  ESDB_CHECK(lent_ > 0);
  --lent_;
  if (kept_.size() < most_) kept_.push_back(std::move(arena));
}

ArenaPool::Lease ArenaPool::take(const std::shared_ptr<ArenaPool>& pool,
                                 std::size_t segment_bytes) {
  {
    std::lock_guard lock(pool->mutex_);
    if (pool->lent_ >= pool->most_) return {nullptr, Return{pool}};
  }
  return take_beyond(pool, segment_bytes);
}

ArenaPool::Lease ArenaPool::take_beyond(const std::shared_ptr<ArenaPool>& pool,
                                        std::size_t segment_bytes) {
  std::unique_ptr<Arena> arena;
  std::vector<std::unique_ptr<Arena>> outgrown;  // unmapped outside the lock
  {
    std::lock_guard lock(pool->mutex_);
    ++pool->lent_;
    for (auto& kept : pool->kept_)
      (kept->segment_bytes() == segment_bytes && !arena ? arena : outgrown.emplace_back()) =
          std::move(kept);
    pool->kept_.clear();
    for (auto& other : outgrown)
      if (other->segment_bytes() == segment_bytes) pool->kept_.push_back(std::move(other));
  }
  if (arena) arena->clear();
  if (!arena) arena = Arena::make(segment_bytes);
  if (!arena) {
    std::lock_guard lock(pool->mutex_);
    --pool->lent_;
  }
  return {arena.release(), Return{pool}};
}

}  // namespace esdb::storage
