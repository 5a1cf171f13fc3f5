#include "storage/store_lock.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
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

std::string content_of(File& file) {
  std::string text(kContentMax, '\0');
  auto count = file.read(0, std::as_writable_bytes(std::span(text)));
  text.resize(count ? *count : 0);
  return text;
}

// LOCK's lines: the pid, and the URL where it has one.
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
  if (!*taken) return locked(options.directory, content_of(**file));
  if (writes) {
    const auto content = std::to_string(::getpid()) + "\n" + options.announce + "\n";
    if (auto written = (*file)->rewrite(content); !written) return unusable(path, written.error());
  }
  return std::move(*file);
}

}  // namespace esdb::storage
