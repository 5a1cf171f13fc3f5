#include "bench/disk_limits.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "bench/failure.h"

namespace esdb::bench {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kHugePage = 2 * kMiB;

std::size_t rounded_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// Direct where the file system can, so that a benchmark also runs where it cannot.
int open_direct(const std::string& path, int flags) {
  int fd = ::open(path.c_str(), flags | O_DIRECT | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EINVAL) fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) fail("open " + path);
  return fd;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int open_for_reading(const std::string& path, PageCache cache) {
  if (cache == PageCache::kAround) return open_direct(path, O_RDONLY);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open " + path);
  return fd;
}

void read_at(int fd, std::byte* into, std::size_t bytes, std::size_t at) {
  if (::pread(fd, into, bytes, static_cast<off_t>(at)) != static_cast<ssize_t>(bytes))
    fail("raw reads: pread");
}

// Every block of some files, told apart by a number.
class Blocks {
 public:
  Blocks(std::span<const std::string> paths, PageCache cache) {
    for (const auto& path : paths) {
      fds_.push_back(std::make_unique<Descriptor>(open_for_reading(path, cache)));
      struct stat status {};
      if (::fstat(fds_.back()->get(), &status) != 0) fail("fstat " + path);
      count_ += static_cast<std::size_t>(status.st_size) / kUnitBytes;
      ends_.push_back(count_);
    }
    if (count_ == 0) throw MeasurementFailed("random reads: the files hold no block");
  }
  std::size_t count() const { return count_; }
  void read(std::size_t block, std::byte* into) const {
    const auto file =
        static_cast<std::size_t>(std::ranges::upper_bound(ends_, block) - ends_.begin());
    const auto first = file == 0 ? 0 : ends_[file - 1];
    read_at(fds_[file]->get(), into, kUnitBytes, (block - first) * kUnitBytes);
  }

 private:
  std::vector<std::unique_ptr<Descriptor>> fds_;
  std::vector<std::size_t> ends_;
  std::size_t count_ = 0;
};

}  // namespace

TouchedMemory::TouchedMemory(std::size_t bytes) : bytes_(rounded_up(bytes, kHugePage)) {
  // One huge page more than asked, so that a whole number of aligned ones fits.
  void* memory = std::aligned_alloc(kHugePage, bytes_);
  if (memory == nullptr) fail("memory for raw I/O");
  data_ = static_cast<std::byte*>(memory);
  ::madvise(data_, bytes_, MADV_HUGEPAGE);
  std::memset(data_, 7, bytes_);
}

TouchedMemory::~TouchedMemory() { std::free(data_); }

ZeroedFile::ZeroedFile(const std::string& directory, std::size_t bytes)
    : path_(directory + "/raw"), bytes_(rounded_up(bytes, kMiB)) {
  fd_ = open_direct(path_, O_RDWR | O_CREAT | O_TRUNC);
  const TouchedMemory memory(kMiB);
  std::memset(memory.data(), 0, kMiB);
  bool made = ::fallocate(fd_, 0, 0, static_cast<off_t>(bytes_)) == 0;
  for (std::size_t at = 0; made && at < bytes_; at += kMiB)
    made = ::pwrite(fd_, memory.data(), kMiB, static_cast<off_t>(at)) == kMiB;
  if (made && ::fsync(fd_) == 0) return;
  const int error = errno;
  ::close(fd_);
  ::unlink(path_.c_str());
  errno = error;
  fail("a zeroed file for raw I/O: " + path_);
}

ZeroedFile::~ZeroedFile() {
  ::close(fd_);
  ::unlink(path_.c_str());
}

Latencies durable_writes(const ZeroedFile& file, std::size_t bytes, Clock::duration time) {
  const auto size = rounded_up(bytes, kUnitBytes);
  const TouchedMemory memory(size);
  Latencies latencies;
  std::size_t at = 0;
  const auto end = Clock::now() + time;
  do {
    const iovec io{.iov_base = memory.data(), .iov_len = size};
    if (at + size > file.bytes()) at = 0;
    const auto begin = Clock::now();
    if (::pwritev2(file.fd(), &io, 1, static_cast<off_t>(at), RWF_DSYNC) !=
        static_cast<ssize_t>(size))
      fail("raw writes: pwritev2");
    latencies.add(Clock::now() - begin);
    at += size;
  } while (Clock::now() < end);
  return latencies;
}

Latencies durable_writes(const std::string& directory, std::size_t bytes, Clock::duration time) {
  // What 15,000 writes of a unit or 5 GB/s would fill, so that none is written twice.
  const auto per_second = std::min<double>(15'000 * static_cast<double>(bytes), 5e9);
  const auto space = static_cast<std::size_t>(per_second * seconds(time));
  return durable_writes(ZeroedFile(directory, std::max(space, rounded_up(bytes, kMiB))), bytes,
                        time);
}

double write_bandwidth(const ZeroedFile& file, Clock::duration time) {
  const TouchedMemory memory(kMiB);
  std::size_t written = 0;
  const auto begin = Clock::now();
  do {
    if (::pwrite(file.fd(), memory.data(), kMiB, static_cast<off_t>(written % file.bytes())) !=
        kMiB)
      fail("raw writes: pwrite");
    written += kMiB;
  } while (Clock::now() - begin < time);
  return static_cast<double>(written) / seconds_since(begin);
}

double read_bandwidth(const ZeroedFile& file, PageCache cache, Clock::duration time) {
  const Descriptor fd(open_for_reading(file.path(), cache));
  const TouchedMemory memory(kMiB);
  if (cache == PageCache::kWarm)
    for (std::size_t at = 0; at < file.bytes(); at += kMiB)
      read_at(fd.get(), memory.data(), kMiB, at);
  std::size_t got = 0;
  const auto begin = Clock::now();
  do {
    read_at(fd.get(), memory.data(), kMiB, got % file.bytes());
    got += kMiB;
  } while (Clock::now() - begin < time);
  return static_cast<double>(got) / seconds_since(begin);
}

RandomReads random_reads(std::span<const std::string> paths, std::size_t readers, PageCache cache,
                         Clock::duration time) {
  const Blocks blocks(paths, cache);
  const TouchedMemory memory(readers * kUnitBytes);
  std::vector<Latencies> latencies(readers);
  std::vector<std::exception_ptr> failures(readers);
  const auto begin = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t reader = 0; reader < readers; ++reader)
      threads.emplace_back([&, reader] {
        try {
          std::byte* const into = memory.data() + reader * kUnitBytes;
          std::mt19937_64 random(reader + 1);
          while (Clock::now() - begin < time) {
            const auto asked = Clock::now();
            blocks.read(random() % blocks.count(), into);
            latencies[reader].add(Clock::now() - asked);
          }
        } catch (...) {
          failures[reader] = std::current_exception();
        }
      });
  }
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
  RandomReads reads;
  for (const auto& each : latencies) reads.latencies.merge(each);
  reads.per_second = static_cast<double>(reads.latencies.count()) / seconds_since(begin);
  return reads;
}

}  // namespace esdb::bench
