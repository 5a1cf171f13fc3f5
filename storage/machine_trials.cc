#include "storage/machine_trials.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "storage/aligned_bytes.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kWriteBytes = 4096;
constexpr std::size_t kMapBytes = std::size_t{1} << 40;  // of the index

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  const int fd_;
};

// A file without a name, or one whose name is gone at once.
int scratch_in(const std::string& directory, int flags) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
  auto name = directory + "/.esdb-doctor-XXXXXX";
  const int made = ::mkostemp(name.data(), O_CLOEXEC);
  if (made < 0) return made;
  int direct = made;
  if (flags != 0) {
    direct = ::open(name.c_str(), O_RDWR | O_CLOEXEC | flags);
    const int number = errno;
    ::close(made);
    errno = number;
  }
  const int number = errno;
  ::unlink(name.c_str());
  errno = number;
  return direct;
}

int try_io_uring() {
  io_uring_params parameters{};
  const auto fd = static_cast<int>(::syscall(__NR_io_uring_setup, 8, &parameters));
  if (fd < 0) return errno;
  ::close(fd);
  return 0;
}

int try_address_space() {
  void* at =
      ::mmap(nullptr, kMapBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return errno;
  ::munmap(at, kMapBytes);
  return 0;
}

int try_monotonic_clock() {
  timespec before{}, after{};
  if (::clock_gettime(CLOCK_MONOTONIC, &before) != 0) return errno;
  for (int i = 0; i < 1000; ++i) {
    if (::clock_gettime(CLOCK_MONOTONIC, &after) != 0) return errno;
    const bool back = after.tv_sec < before.tv_sec ||
                      (after.tv_sec == before.tv_sec && after.tv_nsec < before.tv_nsec);
    if (back) return ERANGE;
    before = after;
  }
  return 0;
}

// One durable write, as the log makes it. 0, or the errno.
int write_durable(int fd, std::size_t offset, std::span<const std::byte> bytes) {
  const iovec part{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  const auto done = ::pwritev2(fd, &part, 1, static_cast<off_t>(offset), RWF_DSYNC);
  if (done == static_cast<ssize_t>(bytes.size())) return 0;
  return done < 0 ? errno : EIO;
}

int write_and_flush(int fd, std::size_t offset, std::span<const std::byte> bytes) {
  const auto done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  if (done != static_cast<ssize_t>(bytes.size())) return done < 0 ? errno : EIO;
  return ::fdatasync(fd) == 0 ? 0 : errno;
}

}  // namespace

void try_machine(MachineFacts& facts, std::size_t writes) {
  facts.io_uring = try_io_uring();
  facts.address_space = try_address_space();
  facts.monotonic_clock = try_monotonic_clock();
  const Descriptor plain(scratch_in(facts.directory, 0));
  if (!plain) return;
  facts.fallocate = ::fallocate(plain.get(), FALLOC_FL_KEEP_SIZE, 0, 1 << 20) == 0 ? 0 : errno;
  const Descriptor direct(scratch_in(facts.directory, O_DIRECT));
  facts.direct_io = direct ? 0 : errno;
  const int fd = direct ? direct.get() : plain.get();
  // Allocated and zeroed first, as a segment is: what is timed changes no metadata.
  AlignedBytes block(kWriteBytes);
  for (std::size_t i = 0; i < writes; ++i) {
    if (::pwrite(fd, block.bytes().data(), kWriteBytes, static_cast<off_t>(i * kWriteBytes)) < 0) {
      facts.direct_io = errno;
      return;
    }
  }
  if (::fsync(fd) != 0) return;
  std::ranges::fill(block.bytes(), std::byte{'#'});
  facts.durable_write = write_durable(fd, 0, block.bytes());
  for (std::size_t i = 0; i < writes; ++i) {
    const auto begun = std::chrono::steady_clock::now();
    const int number = *facts.durable_write == 0
                           ? write_durable(fd, i * kWriteBytes, block.bytes())
                           : write_and_flush(fd, i * kWriteBytes, block.bytes());
    if (number != 0) return;
    facts.write_times.push_back(std::chrono::steady_clock::now() - begun);
  }
  std::ranges::sort(facts.write_times);
}

}  // namespace esdb::storage
