// MemoryIo: files in memory, for a store without a directory: the same engine on another machine.
// Files are anonymous mappings, so that an empty one costs no memory and no zeroing.
//
// Threads: as Io.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/testing.h"
#include "storage/io.h"

namespace esdb::storage {

class MemoryIo final : public Io {
 public:
  // clock: what now() says; not owned; null for the machine's.
  explicit MemoryIo(Clock* clock = nullptr) : clock_(clock) {}

  IoResult<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  IoResult<std::vector<std::string>> list(const std::string& directory) override;
  IoResult<bool> exists(const std::string& path) override;
  IoResult<void> make_directory(const std::string& path) override;
  IoResult<void> rename(const std::string& from, const std::string& to) override;
  IoResult<void> remove(const std::string& path) override;
  IoResult<void> sync_directory(const std::string& path) override;
  IoResult<std::unique_ptr<Ring>> make_ring(unsigned depth, int wake_fd) override;
  BlockSizes block_sizes(const std::string& directory) override;
  std::string_view name() const override { return "memory"; }
  Time now() override;
  std::chrono::steady_clock::time_point steady() override;
  void random(std::span<std::byte> into) override;

  class Content;

 private:
  Clock* const clock_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Content>> nodes_{};  // under mutex_; null: a directory
};

}  // namespace esdb::storage
