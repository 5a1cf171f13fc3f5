#include "tests/simulation/index_recording.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "storage/check.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::simulation {
namespace {

namespace fs = std::filesystem;
using fixtures::Fate;
using fixtures::kSectorBytes;

IndexRecording* recording = nullptr;

void put(std::string& image, std::uint64_t offset, std::string_view bytes) {
  if (image.size() < offset + bytes.size()) image.resize(offset + bytes.size());
  image.replace(offset, bytes.size(), bytes);
}

std::string path_of(int fd) {
  std::string path(4096, '\0');
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const auto size = ::readlink(link.c_str(), path.data(), path.size());
  path.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return path;
}

}  // namespace

IndexRecording::IndexRecording(std::string directory) : directory_(std::move(directory)) {
  ESDB_CHECK(recording == nullptr);
  recording = this;
}

IndexRecording::~IndexRecording() { recording = nullptr; }

IndexRecording* IndexRecording::current() {
  return recording != nullptr && !recording->looking_ ? recording : nullptr;
}

IndexRecording::RecordedFile* IndexRecording::file_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
  if (const auto found = files_.find(status.st_ino); found != files_.end()) return &found->second;
  const auto path = path_of(fd);
  if (!path.starts_with(directory_ + "/") || !path.ends_with("/data.mdb")) return nullptr;
  auto& file = files_[status.st_ino];
  file.durable = fixtures::read_file(path);
  return &file;
}

void IndexRecording::crash_point() {
  if (!at_crash_point_) return;
  looking_ = true;
  at_crash_point_();
  looking_ = false;
}

void IndexRecording::wrote(int fd, std::uint64_t offset, std::string_view bytes) {
  auto* file = file_of(fd);
  if (file == nullptr) return;
  while (!bytes.empty()) {
    const auto size = std::min(bytes.size(), kSectorBytes - offset % kSectorBytes);
    file->writes.push_back({offset, std::string(bytes.substr(0, size))});
    bytes.remove_prefix(size);
    offset += size;
  }
}

void IndexRecording::written(int fd) {
  if ((::fcntl(fd, F_GETFL) & O_DSYNC) != 0) flush(fd);
}

void IndexRecording::flush(int fd) {
  auto* file = file_of(fd);
  if (file == nullptr || file->writes.empty()) return;
  crash_point();
  for (const auto& write : file->writes) put(file->durable, write.offset, write.bytes);
  file->writes.clear();
}

std::size_t IndexRecording::undecided() const {
  std::size_t sectors = 0;
  for (const auto& [inode, file] : files_) sectors += file.writes.size();
  return sectors;
}

void IndexRecording::leave(const std::string& into, const std::vector<Fate>& fates) const {
  copy_directory(directory_, into);
  std::map<ino_t, std::string> images;
  std::size_t next = 0;
  for (const auto& [inode, file] : files_) {
    auto& image = images[inode] = file.durable;
    for (const auto& write : file.writes) {
      const auto fate = fates.at(next++);
      const auto sector = write.offset / kSectorBytes * kSectorBytes;
      if (fate == Fate::kNew) put(image, write.offset, write.bytes);
      if (fate == Fate::kZero) put(image, sector, std::string(kSectorBytes, '\0'));
    }
  }
  for (const auto& entry : fs::recursive_directory_iterator(directory_)) {
    struct stat status {};
    if (!entry.is_regular_file() || ::stat(entry.path().c_str(), &status) != 0) continue;
    const auto image = images.find(status.st_ino);
    if (image == images.end()) continue;
    const auto path = into / fs::relative(entry.path(), directory_);
    std::ofstream(path, std::ios::binary) << image->second;
  }
}

void copy_directory(const std::string& from, const std::string& into) {
  fs::remove_all(into);
  fs::create_directories(into);
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    const auto path = into / fs::relative(entry.path(), from);
    if (entry.is_directory())
      fs::create_directories(path);
    else if (entry.path().filename() != "lock.mdb")
      std::ofstream(path, std::ios::binary) << fixtures::read_file(entry.path());
  }
}

}  // namespace esdb::simulation

// The calls of libc that LMDB writes with: those of a program come before those of its libraries.

using esdb::simulation::IndexRecording;

extern "C" ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  auto* watching = IndexRecording::current();
  if (watching != nullptr)
    watching->wrote(fd, static_cast<std::uint64_t>(offset),
                    {static_cast<const char*>(bytes), size});
  const auto result = ::syscall(SYS_pwrite64, fd, bytes, size, offset);
  if (watching != nullptr) watching->written(fd);
  return result;
}

extern "C" ssize_t writev(int fd, const iovec* parts, int count) {
  auto* watching = IndexRecording::current();
  if (watching != nullptr) {
    std::string bytes;
    for (const auto& part : std::span(parts, static_cast<std::size_t>(count)))
      bytes.append(static_cast<const char*>(part.iov_base), part.iov_len);
    watching->wrote(fd, static_cast<std::uint64_t>(::lseek(fd, 0, SEEK_CUR)), bytes);
  }
  const auto result = ::syscall(SYS_writev, fd, parts, count);
  if (watching != nullptr) watching->written(fd);
  return result;
}

extern "C" int fdatasync(int fd) {
  if (auto* watching = IndexRecording::current(); watching != nullptr) watching->flush(fd);
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

extern "C" int fsync(int fd) {
  if (auto* watching = IndexRecording::current(); watching != nullptr) watching->flush(fd);
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
