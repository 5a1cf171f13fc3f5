// AlignedBytes: memory for direct I/O, zeroed.
//
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "storage/check.h"
#include "storage/format.h"

namespace esdb::storage {

class AlignedBytes {
 public:
  static constexpr std::size_t kAlignment = 4096;

  explicit AlignedBytes(std::size_t size)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(kAlignment, padded(size, kAlignment)))),
        size_(size) {
    ESDB_CHECK(memory_ != nullptr && size > 0);
    std::memset(memory_.get(), 0, size);
  }
  std::span<std::byte> bytes() { return {memory_.get(), size_}; }
  std::span<const std::byte> bytes() const { return {memory_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_;
};

}  // namespace esdb::storage
