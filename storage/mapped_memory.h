// Zeroed memory straight from the system, given back to it when it ends: large blocks that come and
// go would else stay in the allocator's hands.
//
// Threads: plain; any thread.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <utility>

#include "storage/check.h"

namespace esdb::storage {

class MappedMemory {
 public:
  explicit MappedMemory(std::size_t bytes)
      : bytes_(bytes),
        data_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    ESDB_CHECK(data_ != MAP_FAILED);
  }
  MappedMemory(MappedMemory&& other) noexcept
      : bytes_(other.bytes_), data_(std::exchange(other.data_, MAP_FAILED)) {}
  MappedMemory& operator=(MappedMemory&&) = delete;
  ~MappedMemory() {
    if (data_ != MAP_FAILED) ::munmap(data_, bytes_);
  }

  void* data() const { return data_; }

 private:
  std::size_t bytes_;
  void* data_;
};

}  // namespace esdb::storage
