// Sorted runs: rows of keys and values, more than memory holds, brought into the order of their
// keys (external merge sort). Whoever has a part of them in order writes it as a run; then all runs
// are walked at once, and of rows with one key those of the earlier run come first.
//
//   file   run | run | ...       a run: block | block | ...
//   block  checksum (u64) | number of the bytes that follow (u64) | row | row | ...
//   row    bytes of the key that the row before has, too | of the rest | of the value (varints)
//          | the rest | the value                the first row of a block shares nothing
//
// The checksum is XXH3-64 of what stands behind it, seeded with the store's secret and the block's
// offset. The file has no name: it goes with whoever made it. It is read through the page cache,
// and memory holds a block of each run; values are short, so that blocks are not much larger than
// asked for.
//
// Threads: one.
// Errors:  kDiskFull; kUnavailable, with what the system says, or that a block is damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "esdb/error.h"
#include "storage/index_environment.h"

namespace esdb::storage {

class SortedRuns {
 public:
  static constexpr std::size_t kBlockBytesMost = std::size_t{32} << 10;
  static constexpr std::size_t kBlockBytesLeast = std::size_t{4} << 10;

  // `memory`: for the blocks, as long as there are no more than a thousand runs.
  static Result<std::unique_ptr<SortedRuns>> make(const std::string& directory, std::uint64_t seed,
                                                  std::size_t memory);
  ~SortedRuns();
  SortedRuns(const SortedRuns&) = delete;
  SortedRuns& operator=(const SortedRuns&) = delete;

  // ---- writing: rows of one run, no key below the one before it
  Result<void> add(Bytes key, Bytes value);
  Result<void> end_run();
  void abandon_run();  // also one of which a row could not be written
  std::size_t bytes() const { return end_; }

  // ---- walking, once everything is written
  Result<void> begin_walk();
  bool at_end() const { return heads_.empty(); }
  Bytes key() const { return heads_.front()->key; }
  Bytes value() const { return heads_.front()->value; }
  Result<void> next();

 private:
  struct Run {
    std::uint64_t begin = 0;
    std::vector<std::uint32_t> blocks{};  // their bytes
  };
  // Where the walk stands in one run.
  struct Head {
    std::size_t run = 0;
    std::size_t next_block = 0;
    std::uint64_t offset = 0;  // of it
    std::vector<std::byte> block{};
    Bytes rows{};  // behind this one, in the block
    std::vector<std::byte> key{};
    Bytes value{};
  };

  SortedRuns(int fd, std::uint64_t seed, std::size_t memory);
  Result<void> write_block();
  Result<bool> step(Head& head);  // false: the run has ended
  Result<void> load_block(Head& head);
  static bool precedes(const Head& a, const Head& b);
  void sink_front();

  const int fd_;
  const std::uint64_t seed_;
  const std::size_t block_bytes_;
  std::vector<Run> runs_;
  std::uint64_t end_ = 0;
  Run run_;                       // that is being written
  std::vector<std::byte> block_;  // of it
  std::vector<std::byte> last_key_;
  std::vector<std::unique_ptr<Head>> heads_;  // a heap: the first in order is in front
};

}  // namespace esdb::storage
