#include "tests/faults/failing_memory.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace esdb::faults {
namespace {

std::atomic<bool> is_counting{false};
std::atomic<bool> refuses_for_ever{false};
std::atomic<bool> refused{false};
std::atomic<std::uint64_t> refused_from{0};
std::atomic<std::uint64_t> asked{0};

}  // namespace

void refuse_memory(std::uint64_t nth, bool for_ever) {
  asked = 0;
  refused = false;
  refused_from = nth;
  refuses_for_ever = for_ever;
  is_counting = true;
}

void refuse_memory_no_more() { is_counting = false; }
std::uint64_t blocks_asked_for() { return asked; }
bool was_memory_refused() { return refused; }

bool memory_is_refused() {
  if (!is_counting.load(std::memory_order_relaxed)) return false;
  const auto number = asked.fetch_add(1) + 1;
  const auto from = refused_from.load();
  if (from == 0 || number < from || (number > from && !refuses_for_ever)) return false;
  refused = true;
  errno = ENOMEM;
  return true;
}

#ifdef ESDB_SANITIZED
bool memory_can_fail() { return false; }
#else
bool memory_can_fail() { return true; }
#endif

}  // namespace esdb::faults

#ifndef ESDB_SANITIZED

// ---- in the place of the C library's, whose own they hand on to
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  return esdb::faults::memory_is_refused() ? nullptr : __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  return esdb::faults::memory_is_refused() ? nullptr : __libc_calloc(count, bytes);
}
void* realloc(void* block, std::size_t bytes) {
  return esdb::faults::memory_is_refused() ? nullptr : __libc_realloc(block, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return esdb::faults::memory_is_refused() ? nullptr : __libc_memalign(alignment, bytes);
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  return esdb::faults::memory_is_refused() ? nullptr : __libc_memalign(alignment, bytes);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  if (esdb::faults::memory_is_refused()) return ENOMEM;
  *block = __libc_memalign(alignment, bytes);
  return *block == nullptr ? ENOMEM : 0;
}
}  // extern "C"

#endif
