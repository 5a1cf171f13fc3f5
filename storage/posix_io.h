// PosixIo: files of a directory, written with pwritev2 and, where the file system has no direct
// I/O, through the page cache with fdatasync. UringIo is the same with another Ring.
//
// Threads: as Io.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/io.h"

namespace esdb::storage {

// Of any file's descriptor: what the machine does in parts is gone on with. Reading gives fewer
// bytes where the file ends; writing raises no SIGXFSZ.
IoResult<std::size_t> read_all(int fd, std::uint64_t offset, std::span<std::byte> into,
                               std::size_t alignment = 1);
IoResult<void> write_all(int fd, std::uint64_t offset, std::span<const std::byte> bytes,
                         std::size_t alignment = 1, int flags = 0);

// A file of a directory: one descriptor for the page cache and, where the file system allows it,
// one for direct I/O. Both are closed on exec and above the standard ones.
class PosixFile final : public File {
 public:
  struct Descriptors {
    int cached = -1;
    int direct = -1;  // -1: the file system has no direct I/O, or the file is only read
  };
  PosixFile(std::string path, Descriptors descriptors, std::size_t alignment);
  ~PosixFile() override;

  IoResult<std::uint64_t> size() override;
  IoResult<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override;
  bool read_at_hand(std::uint64_t offset, std::span<std::byte> into) override;
  IoResult<std::size_t> read_device(std::uint64_t offset, std::span<std::byte> into) override;
  IoResult<void> write_durable(std::uint64_t offset, std::span<const std::byte> bytes) override;
  IoResult<void> reserve(std::uint64_t bytes) override;
  IoResult<void> allocate_zeroed(std::uint64_t bytes) override;
  IoResult<void> sync() override;
  IoResult<bool> lock(LockMode mode, std::chrono::milliseconds wait) override;
  IoResult<void> rewrite(std::string_view content) override;

  bool is_direct() const { return descriptors_.direct >= 0; }
  int write_descriptor() const;
  int read_descriptor() const { return descriptors_.cached; }
  std::size_t alignment() const { return alignment_; }

 private:
  const std::string path_;
  const Descriptors descriptors_;
  const std::size_t alignment_;
};

class PosixIo : public Io {
 public:
  explicit PosixIo(std::function<void(std::string_view)> log = {});

  IoResult<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  IoResult<std::vector<std::string>> list(const std::string& directory) override;
  IoResult<bool> exists(const std::string& path) override;
  IoResult<void> make_directory(const std::string& path) override;
  IoResult<void> rename(const std::string& from, const std::string& to) override;
  IoResult<void> remove(const std::string& path) override;
  IoResult<void> sync_directory(const std::string& path) override;
  IoResult<std::unique_ptr<Ring>> make_ring(unsigned depth, int wake_fd) override;
  BlockSizes block_sizes(const std::string& directory) override;
  std::string_view name() const override { return "posix"; }
  Time now() override;
  std::chrono::steady_clock::time_point steady() override;
  void random(std::span<std::byte> into) override;

 protected:
  void say(std::string_view line) const;

 private:
  IoResult<int> open_direct(const std::string& path, int flags);
  std::size_t alignment_under(const std::string& directory);

  std::function<void(std::string_view)> log_;
  std::mutex mutex_;
  bool said_not_direct_ = false;                                   // under mutex_
  std::vector<std::pair<std::string, std::size_t>> alignments_{};  // under mutex_; by directory
};

// io_uring where the machine has it, else PosixIo; says which through `log` where it is the latter.
std::unique_ptr<Io> make_directory_io(std::function<void(std::string_view)> log);

}  // namespace esdb::storage
