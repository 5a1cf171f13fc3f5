#include "storage/posix_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <utility>

#include "storage/check.h"

namespace esdb::storage {
namespace {

// What a virtual disk calls 512 may be one of the 4 KiB or more beneath it.
constexpr std::size_t kPhysicalBlockMin = 4096;
constexpr std::size_t kPhysicalBlockMax = std::size_t{64} << 10;
constexpr std::size_t kAlignmentUnknown = 4096;

std::unexpected<IoError> failed() { return std::unexpected(IoError{errno}); }

// Descriptors 0 to 2 are the standard streams', also where a program began without them.
int above_standard_streams(int fd) {
  if (fd < 0 || fd > 2) return fd;
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  const int number = errno;
  ::close(fd);
  errno = number;
  return moved;
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash);
}

std::size_t physical_block_of(const std::string& directory) {
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0) return kPhysicalBlockMin;
  const auto device = "/sys/dev/block/" + std::to_string(major(found.st_dev)) + ":" +
                      std::to_string(minor(found.st_dev));
  std::size_t bytes = 0;
  for (const char* place : {"/queue/", "/../queue/"})  // a disk's, a partition's
    if (std::ifstream(device + place + "physical_block_size") >> bytes) break;
  const bool sound =
      bytes >= kPhysicalBlockMin && bytes <= kPhysicalBlockMax && (bytes & (bytes - 1)) == 0;
  return sound ? bytes : kPhysicalBlockMin;
}

// Operations are done when they are submitted.
class PosixRing final : public Ring {
 public:
  explicit PosixRing(int wake_fd) : wake_fd_(wake_fd) {}

  void write_durable(File& file, std::uint64_t offset, std::span<const std::byte> bytes,
                     std::uint64_t token) override {
    waiting_.push_back({&file, offset, bytes, {}, token});
  }
  void read(File& file, std::uint64_t offset, std::span<std::byte> into,
            std::uint64_t token) override {
    waiting_.push_back({&file, offset, {}, into, token});
  }
  void submit() override {
    for (const auto& operation : waiting_) done_.push_back({operation.token, run(operation)});
    if (!waiting_.empty() && wake_fd_ >= 0) ::eventfd_write(wake_fd_, 1);
    waiting_.clear();
  }
  std::size_t reap(std::span<Done> into) override {
    const auto count = std::min(into.size(), done_.size());
    std::copy_n(done_.begin(), count, into.begin());
    done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  bool wait() override { return !done_.empty(); }

 private:
  struct Operation {
    File* file;
    std::uint64_t offset;
    std::span<const std::byte> bytes;
    std::span<std::byte> into;
    std::uint64_t token;
  };
  static std::int64_t run(const Operation& operation) {
    if (!operation.into.empty()) {
      auto count = operation.file->read(operation.offset, operation.into);
      return count ? static_cast<std::int64_t>(*count) : -count.error().number;
    }
    auto written = operation.file->write_durable(operation.offset, operation.bytes);
    return written ? static_cast<std::int64_t>(operation.bytes.size()) : -written.error().number;
  }

  const int wake_fd_;
  std::vector<Operation> waiting_{};
  std::deque<Done> done_{};
};

}  // namespace

PosixIo::PosixIo(std::function<void(std::string_view)> log) : log_(std::move(log)) {}

void PosixIo::say(std::string_view line) const {
  if (log_) log_(line);
}

IoResult<int> PosixIo::open_direct(const std::string& path, int flags) {
  const int fd = above_standard_streams(::open(path.c_str(), flags | O_CLOEXEC | O_DIRECT));
  if (fd >= 0) return fd;
  if (errno != EINVAL && errno != EOPNOTSUPP) return failed();
  std::lock_guard lock(mutex_);
  if (!std::exchange(said_not_direct_, true))
    say("no direct I/O under " + directory_of(path) +
        ": writing through the page cache and fdatasync");
  return -1;
}

IoResult<std::unique_ptr<File>> PosixIo::open(const std::string& path, OpenMode mode) {
  const int flags = mode == OpenMode::kRead ? O_RDONLY : O_RDWR;
  const int creation = mode == OpenMode::kCreate ? O_CREAT | O_EXCL : 0;
  const auto open_with = [&](int more) {
    return above_standard_streams(::open(path.c_str(), flags | creation | O_CLOEXEC | more, 0600));
  };
  // When a file was read is of no interest, and noting it costs a twentieth of a small read. Only
  // the owner may leave it out.
  int fd = open_with(O_NOATIME);
  if (fd < 0 && errno == EPERM) fd = open_with(0);
  if (fd < 0) return failed();
  int direct = -1;
  if (mode != OpenMode::kRead) {
    auto opened = open_direct(path, flags);
    if (!opened) {
      ::close(fd);
      return std::unexpected(opened.error());
    }
    direct = *opened;
  }
  const auto alignment =
      mode == OpenMode::kRead ? kAlignmentUnknown : alignment_under(directory_of(path));
  return std::make_unique<PosixFile>(path, PosixFile::Descriptors{fd, direct}, alignment);
}

IoResult<std::vector<std::string>> PosixIo::list(const std::string& directory) {
  auto* entries = ::opendir(directory.c_str());
  if (!entries) return failed();
  std::vector<std::string> names;
  errno = 0;
  while (const auto* entry = ::readdir(entries)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  const int number = errno;
  ::closedir(entries);
  if (number != 0) return std::unexpected(IoError{number});
  std::sort(names.begin(), names.end());
  return names;
}

IoResult<bool> PosixIo::exists(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return failed();
}

IoResult<void> PosixIo::make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  const auto parent = directory_of(path);
  if (errno != ENOENT || parent == path || parent.empty()) return failed();
  if (auto made = make_directory(parent); !made) return made;
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed();
  return sync_directory(parent);
}

IoResult<void> PosixIo::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed();
  return {};
}

IoResult<void> PosixIo::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return failed();
  return {};
}

IoResult<void> PosixIo::sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed();
  const bool synced = ::fsync(fd) == 0;
  const int number = errno;
  ::close(fd);
  if (!synced) return std::unexpected(IoError{number});
  return {};
}

IoResult<std::unique_ptr<Ring>> PosixIo::make_ring(unsigned, int wake_fd) {
  return std::make_unique<PosixRing>(wake_fd);
}

std::size_t PosixIo::alignment_under(const std::string& directory) {
  std::lock_guard lock(mutex_);
  for (const auto& [known, bytes] : alignments_)
    if (known == directory) return bytes;
  // Asked of a file, as directories have none: an unnamed one that is gone when it is closed.
  std::size_t alignment = kAlignmentUnknown;
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) {
    struct statx found {};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &found) == 0 &&
        (found.stx_mask & STATX_DIOALIGN) != 0 && found.stx_dio_offset_align > 0)
      alignment = std::max(found.stx_dio_offset_align, found.stx_dio_mem_align);
    ::close(fd);
  }
  alignments_.emplace_back(directory, alignment);
  return alignment;
}

BlockSizes PosixIo::block_sizes(const std::string& directory) {
  const auto alignment = alignment_under(directory);
  return {.physical = std::max(physical_block_of(directory), alignment), .alignment = alignment};
}

Time PosixIo::now() {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

std::chrono::steady_clock::time_point PosixIo::steady() { return std::chrono::steady_clock::now(); }

void PosixIo::random(std::span<std::byte> into) {
  for (std::size_t done = 0; done < into.size();) {
    const auto count = ::getrandom(into.data() + done, into.size() - done, 0);
    ESDB_CHECK(count >= 0 || errno == EINTR);
    if (count > 0) done += static_cast<std::size_t>(count);
  }
}

}  // namespace esdb::storage
