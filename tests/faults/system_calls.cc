// Without the C library's headers for these functions, which would declare them in other ways (with
// fortified bodies, for one).
#undef _FORTIFY_SOURCE
#include "tests/faults/system_calls.h"

#include <dlfcn.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <shared_mutex>
#include <string_view>
#include <utility>

#include "tests/faults/failing_memory.h"

extern "C" {
long syscall(long number, ...) noexcept;
struct iovec;
}

namespace esdb::faults {
namespace {

struct Watched {
  std::shared_mutex mutex{};
  FaultPlan* plan = nullptr;    // under mutex
  std::string directory{};      // under mutex
  WatchedCalls::Which which{};  // under mutex
};
Watched& watched() {
  static Watched one;
  return one;
}
std::atomic<bool> is_watching{false};

// As the kernel lays it out.
struct Part {
  void* base;
  std::size_t bytes;
};

std::string path_of(int fd) {
  std::array<char, 512> text{};
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const long size = syscall(SYS_readlink, link.c_str(), text.data(), text.size());
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string{};
}

constexpr std::string_view kRing = "uring ";

std::optional<Fault> turn(std::string_view call, std::string_view path, bool moves_bytes) {
  using Which = WatchedCalls::Which;
  auto& watch = watched();
  const std::shared_lock lock(watch.mutex);
  if (watch.plan == nullptr || !path.starts_with(watch.directory)) return std::nullopt;
  if (call.starts_with(kRing) != (watch.which == Which::kRings)) return std::nullopt;
  if (watch.which == Which::kIndex && !path.ends_with(".mdb")) return std::nullopt;
  const auto file = path.substr(watch.directory.size());
  auto fault = watch.plan->turn(std::string(call) + " " + std::string(file), moves_bytes);
  // LMDB repeats what is interrupted for as long as it is.
  if (fault && fault->error == EINTR && fault->for_ever && path.ends_with(".mdb")) fault.reset();
  return fault;
}

// Whether the call is to fail, with errno.
bool fails(const char* call, std::string_view path) {
  if (!is_watching.load(std::memory_order_relaxed)) return false;
  const auto fault = turn(call, path, false);
  if (fault) errno = fault->error;
  return fault.has_value();
}
bool fails(const char* call, int fd) {
  if (!is_watching.load(std::memory_order_relaxed)) return false;
  const int before = errno;
  const auto path = path_of(fd);
  errno = before;
  return fails(call, path);
}

// How much of so many bytes is to be moved; nothing: it fails, with errno.
std::optional<std::size_t> allowance(const char* call, int fd, std::size_t bytes) {
  if (!is_watching.load(std::memory_order_relaxed)) return bytes;
  const int before = errno;
  const auto fault = turn(call, path_of(fd), true);
  errno = before;
  if (!fault) return bytes;
  if (fault->kind == Fault::Kind::kError) {
    errno = fault->error;
    return std::nullopt;
  }
  const auto less = fault->kind == Fault::Kind::kShortByOne ? bytes - 1 : bytes / 2;
  return std::max<std::size_t>(less, 1);  // 0 would be the end of the file
}

long moved(long number, const char* call, int fd, void* memory, std::size_t bytes, long offset) {
  const auto allowed = allowance(call, fd, bytes);
  return allowed ? syscall(number, fd, memory, *allowed, offset) : -1;
}

// Of several parts, the first ones: as many as may be moved.
long moved_parts(long number, const char* call, int fd, const Part* parts, int count, long offset,
                 int flags) {
  std::size_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += parts[i].bytes;
  const auto allowed = allowance(call, fd, bytes);
  if (!allowed) return -1;
  std::array<Part, 64> some;
  if (*allowed == bytes || count > static_cast<int>(some.size()))
    return syscall(number, fd, parts, count, offset, 0L, flags);
  int used = 0;
  for (std::size_t rest = *allowed; rest > 0; ++used) {
    auto& part = some.at(static_cast<std::size_t>(used)) = parts[used];
    part.bytes = std::min(part.bytes, rest);
    rest -= part.bytes;
  }
  return syscall(number, fd, some.data(), used, offset, 0L, flags);
}

template <class Function>
Function next_one(const char* name) {
  return reinterpret_cast<Function>(::dlsym(reinterpret_cast<void*>(-1L), name));  // RTLD_NEXT
}

constexpr int kCreates = 0100, kTemporary = 020000000, kHere = -100;

}  // namespace

std::optional<Fault> fault_of_ring(const char* operation, int fd) {
  if (!is_watching.load(std::memory_order_relaxed)) return std::nullopt;
  return turn(std::string(kRing) + operation, path_of(fd), true);
}

WatchedCalls::WatchedCalls(FaultPlan& plan, std::string directory, Which which) {
  auto& watch = watched();
  const std::unique_lock lock(watch.mutex);
  watch.plan = &plan;
  watch.directory = std::move(directory);
  watch.which = which;
  is_watching = true;
}

WatchedCalls::~WatchedCalls() {
  auto& watch = watched();
  const std::unique_lock lock(watch.mutex);
  watch.plan = nullptr;
  is_watching = false;
}

}  // namespace esdb::faults

// ---- in the place of the C library's

// NOLINTBEGIN
namespace faults = esdb::faults;

extern "C" {

int open(const char* path, int flags, ...) {
  unsigned mode = 0;
  if ((flags & (faults::kCreates | faults::kTemporary)) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, unsigned);
    va_end(rest);
  }
  if (faults::fails("open", path)) return -1;
  return static_cast<int>(syscall(SYS_openat, faults::kHere, path, flags, mode));
}
int open64(const char* path, int flags, ...) __attribute__((alias("open")));

long pread(int fd, void* into, std::size_t bytes, long offset) {
  return faults::moved(SYS_pread64, "pread", fd, into, bytes, offset);
}
long pread64(int fd, void* into, std::size_t bytes, long offset) __attribute__((alias("pread")));

long pwrite(int fd, const void* from, std::size_t bytes, long offset) {
  return faults::moved(SYS_pwrite64, "pwrite", fd, const_cast<void*>(from), bytes, offset);
}
long pwrite64(int fd, const void* from, std::size_t bytes, long offset)
    __attribute__((alias("pwrite")));

long pwritev2(int fd, const faults::Part* parts, int count, long offset, int flags) {
  return faults::moved_parts(SYS_pwritev2, "pwritev2", fd, parts, count, offset, flags);
}
long pwritev64v2(int fd, const faults::Part* parts, int count, long offset, int flags)
    __attribute__((alias("pwritev2")));

// LMDB's for pages that follow each other, behind a seek.
long writev(int fd, const faults::Part* parts, int count) {
  return faults::moved_parts(SYS_writev, "writev", fd, parts, count, 0, 0);
}

int fsync(int fd) {
  if (faults::fails("fsync", fd)) return -1;
  return static_cast<int>(syscall(SYS_fsync, fd));
}
int fdatasync(int fd) {
  if (faults::fails("fdatasync", fd)) return -1;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
int sync_file_range(int fd, long offset, long bytes, unsigned flags) {
  if (faults::fails("sync_file_range", fd)) return -1;
  return static_cast<int>(syscall(SYS_sync_file_range, fd, offset, bytes, flags));
}
int fallocate(int fd, int mode, long offset, long bytes) {
  if (faults::fails("fallocate", fd)) return -1;
  return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, bytes));
}
int fallocate64(int fd, int mode, long offset, long bytes) __attribute__((alias("fallocate")));
int ftruncate(int fd, long bytes) noexcept {
  if (faults::fails("ftruncate", fd)) return -1;
  return static_cast<int>(syscall(SYS_ftruncate, fd, bytes));
}
int ftruncate64(int fd, long bytes) noexcept __attribute__((alias("ftruncate")));
int flock(int fd, int operation) noexcept {
  if (faults::fails("flock", fd)) return -1;
  return static_cast<int>(syscall(SYS_flock, fd, operation));
}
int mkdir(const char* path, unsigned mode) noexcept {
  if (faults::fails("mkdir", path)) return -1;
  return static_cast<int>(syscall(SYS_mkdir, path, mode));
}
int rename(const char* from, const char* to) noexcept {
  if (faults::fails("rename", from)) return -1;
  return static_cast<int>(syscall(SYS_rename, from, to));
}
int unlink(const char* path) noexcept {
  if (faults::fails("unlink", path)) return -1;
  return static_cast<int>(syscall(SYS_unlink, path));
}
// The C++ library removes files with it.
int remove(const char* path) noexcept {
  if (faults::fails("remove", path)) return -1;
  const int result = static_cast<int>(syscall(SYS_unlink, path));
  return result == 0 || errno != 21 ? result : static_cast<int>(syscall(SYS_rmdir, path));
}
int access(const char* path, int mode) noexcept {
  if (faults::fails("access", path)) return -1;
  return static_cast<int>(syscall(SYS_access, path, mode));
}
void* opendir(const char* path) {
  if (faults::fails("opendir", path)) return nullptr;
  static const auto real = faults::next_one<void* (*)(const char*)>("opendir");
  return real(path);
}
std::FILE* fopen64(const char* path, const char* mode) {
  if (faults::fails("fopen", path)) return nullptr;
  static const auto real = faults::next_one<std::FILE* (*)(const char*, const char*)>("fopen64");
  return real(path, mode);
}
// The thread sanitizer has to see every mapping.
#ifndef ESDB_SANITIZED_THREADS
void* mmap(void* at, std::size_t bytes, int protection, int flags, int fd, long offset) noexcept {
  const bool refused = fd >= 0 ? faults::fails("mmap", fd) : faults::memory_is_refused();
  if (refused) return reinterpret_cast<void*>(-1L);
  return reinterpret_cast<void*>(syscall(SYS_mmap, at, bytes, protection, flags, fd, offset));
}
void* mmap64(void* at, std::size_t bytes, int protection, int flags, int fd, long offset) noexcept
    __attribute__((alias("mmap")));
#endif

}  // extern "C"
// NOLINTEND
