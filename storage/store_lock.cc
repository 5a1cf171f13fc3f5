#include "storage/store_lock.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <span>

#include "storage/opening_error.h"

namespace esdb::storage {
namespace {

// A process that was just killed keeps its locks until its last operation has ended.
constexpr auto kPredecessorWait = std::chrono::milliseconds(200);
constexpr std::size_t kContentMax = 4096;

std::unexpected<Error> unusable(const std::string& path, IoError error) {
  return opening_failed(path + " cannot be used", error, "check that it may be read and written");
}

IoResult<std::string> content_of(File& file) {
  std::string text(kContentMax, '\0');
  auto count = file.read(0, std::as_writable_bytes(std::span(text)));
  if (!count) return std::unexpected(count.error());
  text.resize(*count);
  return text;
}

// LOCK's third line, which tells apart two processes that have one pid, in containers of their own.
// Like the pid it is the process's, not the Io's: what is written to the log does not depend on it.
std::string now_in_nanoseconds() {
  return std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
}

// LOCK's lines: the pid, the URL (empty where it has none), and when it was taken.
std::unexpected<Error> locked(const std::string& directory, const std::string& content) {
  const auto end = std::min(content.find('\n'), content.size());
  const auto pid = content.substr(0, end);
  const auto url_at = std::min(end + 1, content.size());
  const auto url = content.substr(url_at, content.find('\n', url_at) - url_at);
  std::string message = "the store in " + directory + " is in use by ";
  message += pid.empty() ? "another process" : "process " + pid;
  message += url.empty() ? ": wait until it has closed it, or stop it"
                         : ", which serves it at " + url + ": open that instead";
  return std::unexpected(Error{.code = ErrorCode::kLocked, .message = std::move(message)});
}

IoResult<std::unique_ptr<File>> open_lock(Io& io, const std::string& path, Access access) {
  if (access == Access::kReadOnly) return io.open(path, OpenMode::kRead);
  auto file = io.open(path, OpenMode::kReadWrite);
  if (file || file.error().number != ENOENT) return file;
  file = io.open(path, OpenMode::kCreate);
  if (file || file.error().number != EEXIST) return file;
  return io.open(path, OpenMode::kReadWrite);
}

}  // namespace

Result<std::unique_ptr<File>> lock_store(Io& io, const LogOptions& options) {
  const auto path = options.directory + "/LOCK";
  const bool writes = options.access == Access::kReadWrite;
  auto file = open_lock(io, path, options.access);
  if (!file && !writes && file.error().number == ENOENT) return std::unique_ptr<File>();
  if (!file) return unusable(path, file.error());
  auto taken = (*file)->lock(writes ? LockMode::kExclusive : LockMode::kShared, kPredecessorWait);
  if (!taken) return unusable(path, taken.error());
  if (!*taken) return locked(options.directory, content_of(**file).value_or(""));
  if (writes) {
    const auto content =
        std::to_string(::getpid()) + "\n" + options.announce + "\n" + now_in_nanoseconds() + "\n";
    if (auto written = (*file)->rewrite(content); !written) return unusable(path, written.error());
  }
  return std::move(*file);
}

std::string lost_lock(Io& io, const std::string& directory, File& held) {
  const auto path = directory + "/LOCK";
  auto file = io.open(path, OpenMode::kRead);
  if (!file) return file.error().number == ENOENT ? path + " was removed" : "";
  const auto there = content_of(**file), ours = content_of(held);
  return there && ours && *there != *ours ? path + " was replaced" : "";
}

}  // namespace esdb::storage
