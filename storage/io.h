// Io: what the engine asks of the machine: files, time, chance. The one internal interface.
//
// Bodies: UringIo and PosixIo (a directory), MemoryIo (a store without files); tests add simulated
// and faulty ones. LMDB is the exception: it goes to the file system by itself.
//
// Threads: Io and File from any thread; a Ring belongs to one thread at a time.
// Errors:  IoError, the errno; the caller decides what it means (docs/durability.md).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/numbers.h"

namespace esdb::storage {

struct IoError {
  int number{};  // errno
  friend bool operator==(IoError, IoError) = default;
};
std::string to_string(IoError error);  // "No space left on device (28)"
// The process or the machine is short of something just now (descriptors, memory), or was
// interrupted: nothing is wrong with the file, and the same call may succeed later.
bool is_passing(IoError error);
// The disk, a quota or a file size limit has no room left.
bool is_full(IoError error);

template <class T>
using IoResult = std::expected<T, IoError>;

enum class OpenMode : std::uint8_t { kRead, kReadWrite, kCreate };  // kCreate: must not exist
enum class LockMode : std::uint8_t { kShared, kExclusive };

class File {
 public:
  virtual ~File() = default;
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] virtual IoResult<std::uint64_t> size() = 0;
  // Through the page cache. Short only at the end of the file.
  [[nodiscard]] virtual IoResult<std::size_t> read(std::uint64_t offset,
                                                   std::span<std::byte> into) = 0;
  // The same where no device has to be asked, all of it; false: it may have to be, and nothing is
  // said of `into`.
  [[nodiscard]] virtual bool read_at_hand(std::uint64_t offset, std::span<std::byte> into) = 0;
  // What the device holds, not what the page cache believes it holds (a failed write-back leaves
  // phantom pages). Offset, size and memory are aligned to BlockSizes::alignment.
  [[nodiscard]] virtual IoResult<std::size_t> read_device(std::uint64_t offset,
                                                          std::span<std::byte> into) = 0;
  // All of it is on stable storage when this returns. Aligned as read_device().
  [[nodiscard]] virtual IoResult<void> write_durable(std::uint64_t offset,
                                                     std::span<const std::byte> bytes) = 0;
  // Reserves the space up to `bytes`, where the file system can, and writes nothing: a disk that is
  // too full says so before it is filled with zeros.
  [[nodiscard]] virtual IoResult<void> reserve(std::uint64_t bytes) = 0;
  // Reserves the space and writes zeros behind the file's end up to `bytes` (not synced), so that
  // later writes neither meet a full disk nor change the file's metadata.
  [[nodiscard]] virtual IoResult<void> allocate_zeroed(std::uint64_t bytes) = 0;
  [[nodiscard]] virtual IoResult<void> sync() = 0;
  // Of the descriptor that a Ring writes to. false: another open file description still holds it
  // after `wait`.
  [[nodiscard]] virtual IoResult<bool> lock(LockMode mode, std::chrono::milliseconds wait) = 0;
  // For LOCK, a small text file: replaces the content, not synced.
  [[nodiscard]] virtual IoResult<void> rewrite(std::string_view content) = 0;
};

// What writes and reads under a directory go by. Bytes that one power loss may ruin together are
// one physical block; offsets, sizes and memory of direct I/O are multiples of the alignment.
struct BlockSizes {
  std::size_t physical{};   // at least 4096 on a device: what lies under a virtual disk is unknown
  std::size_t alignment{};  // at most `physical`
};

// Asynchronous writes and reads, many at once. Nothing is handed to the machine before submit().
class Ring {
 public:
  struct Done {
    std::uint64_t token{};
    // All bytes asked for, or -errno. What the machine did in part is gone on with, what it was
    // interrupted in is repeated; what fails for good is -errno. A read is short at the file's end.
    std::int64_t result{};
  };
  virtual ~Ring() = default;
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // The file, and the bytes, live until the operation is reaped. Aligned as File::write_durable().
  virtual void write_durable(File& file, std::uint64_t offset, std::span<const std::byte> bytes,
                             std::uint64_t token) = 0;
  virtual void read(File& file, std::uint64_t offset, std::span<std::byte> into,
                    std::uint64_t token) = 0;
  virtual void submit() = 0;
  // Takes finished operations, in the order they finished; 0 when there are none.
  virtual std::size_t reap(std::span<Done> into) = 0;
  // Blocks until something can be reaped (false: nothing is in flight).
  virtual bool wait() = 0;
};

class Io {
 public:
  virtual ~Io() = default;
  Io() = default;
  Io(const Io&) = delete;
  Io& operator=(const Io&) = delete;

  [[nodiscard]] virtual IoResult<std::unique_ptr<File>> open(const std::string& path,
                                                             OpenMode mode) = 0;
  [[nodiscard]] virtual IoResult<std::vector<std::string>> list(const std::string& directory) = 0;
  [[nodiscard]] virtual IoResult<bool> exists(const std::string& path) = 0;
  [[nodiscard]] virtual IoResult<void> make_directory(
      const std::string& path) = 0;  // 0700; parents
  [[nodiscard]] virtual IoResult<void> rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual IoResult<void> remove(const std::string& path) = 0;
  [[nodiscard]] virtual IoResult<void> sync_directory(const std::string& path) = 0;

  // wake_fd: an eventfd that is made readable when something can be reaped; -1 for none.
  [[nodiscard]] virtual IoResult<std::unique_ptr<Ring>> make_ring(unsigned depth, int wake_fd) = 0;

  virtual BlockSizes block_sizes(const std::string& directory) = 0;
  virtual std::string_view name() const = 0;  // "uring", "posix", "memory"

  virtual Time now() = 0;                                      // the wall clock
  virtual std::chrono::steady_clock::time_point steady() = 0;  // for time-outs
  virtual void random(std::span<std::byte> into) = 0;
};

}  // namespace esdb::storage
