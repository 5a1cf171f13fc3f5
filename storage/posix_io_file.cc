#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "storage/check.h"
#include "storage/posix_io.h"
#include "storage/threads.h"
#include "storage/transfer.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kZeroesBytes = std::size_t{1} << 20;

std::unexpected<IoError> failed(int number) { return std::unexpected(IoError{number}); }
std::unexpected<IoError> failed() { return failed(errno); }

std::int64_t result_of(ssize_t returned) { return returned < 0 ? -errno : returned; }

// Page-aligned zeros, for direct I/O.
std::span<const std::byte> zeroes() {
  alignas(4096) static const std::byte bytes[kZeroesBytes]{};
  return bytes;
}

}  // namespace

IoResult<std::size_t> read_all(int fd, std::uint64_t offset, std::span<std::byte> into,
                               std::size_t alignment) {
  Transfer transfer(Transfer::Kind::kRead, into.size(), alignment);
  while (transfer.advance(result_of(::pread(fd, into.data() + transfer.done(), transfer.rest(),
                                            static_cast<off_t>(offset + transfer.done())))) ==
         Transfer::Next::kAgain) {
  }
  if (transfer.result() < 0) return failed(static_cast<int>(-transfer.result()));
  return static_cast<std::size_t>(transfer.result());
}

IoResult<void> write_all(int fd, std::uint64_t offset, std::span<const std::byte> bytes,
                         std::size_t alignment, int flags) {
  const WithoutFileSizeSignal quiet;
  Transfer transfer(Transfer::Kind::kWrite, bytes.size(), alignment);
  for (;;) {
    const iovec part{const_cast<std::byte*>(bytes.data()) + transfer.done(), transfer.rest()};
    const auto result =
        result_of(::pwritev2(fd, &part, 1, static_cast<off_t>(offset + transfer.done()), flags));
    if (transfer.advance(result) == Transfer::Next::kFinished) break;
  }
  if (transfer.result() < 0) return failed(static_cast<int>(-transfer.result()));
  return {};
}

PosixFile::PosixFile(std::string path, Descriptors descriptors, std::size_t alignment)
    : path_(std::move(path)), descriptors_(descriptors), alignment_(alignment) {
  ESDB_CHECK(descriptors_.cached >= 0 && alignment_ > 0);
}

PosixFile::~PosixFile() {
  if (descriptors_.direct >= 0) ::close(descriptors_.direct);
  ::close(descriptors_.cached);
}

int PosixFile::write_descriptor() const {
  return is_direct() ? descriptors_.direct : descriptors_.cached;
}

IoResult<std::uint64_t> PosixFile::size() {
  struct stat found {};
  if (::fstat(descriptors_.cached, &found) != 0) return failed();
  return static_cast<std::uint64_t>(found.st_size);
}

IoResult<std::size_t> PosixFile::read(std::uint64_t offset, std::span<std::byte> into) {
  return read_all(descriptors_.cached, offset, into, 1);
}

// A file system without RWF_NOWAIT says so (EOPNOTSUPP), which is a no as well.
bool PosixFile::read_at_hand(std::uint64_t offset, std::span<std::byte> into) {
  const iovec all{into.data(), into.size()};
  return ::preadv2(descriptors_.cached, &all, 1, static_cast<off_t>(offset), RWF_NOWAIT) ==
         static_cast<ssize_t>(into.size());
}

IoResult<std::size_t> PosixFile::read_device(std::uint64_t offset, std::span<std::byte> into) {
  if (is_direct()) return read_all(descriptors_.direct, offset, into, alignment_);
  // Opened for reading only: a descriptor for direct I/O that lives as long as this call.
  const int direct = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (direct >= 0) {
    auto result = read_all(direct, offset, into, alignment_);
    ::close(direct);
    return result;
  }
  // Without direct I/O: what the page cache holds and the device does not must not be believed.
  const int number = ::posix_fadvise(descriptors_.cached, static_cast<off_t>(offset),
                                     static_cast<off_t>(into.size()), POSIX_FADV_DONTNEED);
  if (number != 0) return failed(number);
  return read_all(descriptors_.cached, offset, into, 1);
}

IoResult<void> PosixFile::write_durable(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (is_direct()) {
    auto written = write_all(descriptors_.direct, offset, bytes, alignment_, RWF_DSYNC);
    if (written || written.error().number != EOPNOTSUPP) return written;
  }
  if (auto written = write_all(write_descriptor(), offset, bytes, alignment_, 0); !written)
    return written;
  if (::fdatasync(write_descriptor()) != 0) return failed();
  return {};
}

IoResult<void> PosixFile::reserve(std::uint64_t bytes) {
  const WithoutFileSizeSignal quiet;
  if (::fallocate(descriptors_.cached, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0 &&
      errno != EOPNOTSUPP)
    return failed();
  return {};
}

IoResult<void> PosixFile::allocate_zeroed(std::uint64_t bytes) {
  const WithoutFileSizeSignal quiet;
  const auto begin = size();
  if (!begin) return std::unexpected(begin.error());
  if (*begin >= bytes) return {};
  // Direct writes begin on the alignment: what little lies before it is zero already or is zeroed.
  const auto from = *begin / alignment_ * alignment_;
  ESDB_CHECK(from == *begin || !is_direct());
  if (::fallocate(descriptors_.cached, 0, static_cast<off_t>(*begin),
                  static_cast<off_t>(bytes - *begin)) != 0 &&
      errno != EOPNOTSUPP)
    return failed();
  for (auto at = *begin; at < bytes;) {
    const auto part = zeroes().first(std::min<std::uint64_t>(kZeroesBytes, bytes - at));
    if (auto written = write_all(write_descriptor(), at, part, alignment_, 0); !written)
      return written;
    at += part.size();
  }
  return {};
}

IoResult<void> PosixFile::sync() {
  if (::fsync(write_descriptor()) != 0) return failed();
  return {};
}

IoResult<bool> PosixFile::lock(LockMode mode, std::chrono::milliseconds wait) {
  constexpr auto kPause = std::chrono::milliseconds(10);
  const int operation = (mode == LockMode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    if (::flock(write_descriptor(), operation) == 0) return true;
    const int number = errno;
    if (number != EWOULDBLOCK && number != EINTR) return failed(number);
    if (std::chrono::steady_clock::now() >= deadline) {
      if (number == EINTR) return failed(number);
      return false;
    }
    std::this_thread::sleep_for(kPause);
  }
}

IoResult<void> PosixFile::rewrite(std::string_view content) {
  if (::ftruncate(descriptors_.cached, 0) != 0) return failed();
  return write_all(descriptors_.cached, 0, std::as_bytes(std::span(content)), 1, 0);
}

}  // namespace esdb::storage
