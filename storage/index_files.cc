#include "storage/index_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace esdb::storage {

namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(std::string_view what, const std::string& path,
                              const std::error_code& error) {
  return std::unexpected(
      Error{.code = ErrorCode::kUnavailable,
            .message = std::string(what) + " " + path + " failed: " + error.message()});
}

Result<void> make_directory(const std::string& path) {
  std::error_code error;
  if (fs::create_directory(path, error); error) return failed("making", path, error);
  fs::permissions(path, fs::perms::owner_all, error);
  if (error) return failed("making", path, error);
  return {};
}

// The environment's file first: without it nothing of it can be taken for an index.
Result<void> discard_at(const std::string& path) {
  std::error_code error;
  if (fs::remove(path + "/data.mdb", error); error) return failed("removing", path, error);
  if (fs::remove_all(path, error); error) return failed("removing", path, error);
  return {};
}

Result<void> sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const std::error_code error(errno, std::generic_category());
  if (fd >= 0) ::close(fd);
  if (!synced) return failed("syncing", path, error);
  return {};
}

}  // namespace

bool IndexFiles::exists() const {
  std::error_code error;
  return fs::exists(directory_ + "/data.mdb", error);
}

std::string IndexFiles::distrusted() const {
  std::error_code error;
  if (fs::exists(damaged_marker(), error)) return "damage was found in it";
  if (fs::exists(opening_marker(), error)) return "the last attempt to open it did not come back";
  return {};
}

Result<void> IndexFiles::make() const {
  if (auto made = make_directory(directory_); !made) return made;
  return sync_directory(fs::path(directory_).parent_path());
}

Result<void> IndexFiles::make_new() const {
  if (auto discarded = discard_new(); !discarded) return discarded;
  return make_directory(new_directory_);
}

Result<void> IndexFiles::discard() const { return discard_at(directory_); }
Result<void> IndexFiles::discard_new() const { return discard_at(new_directory_); }

Result<void> IndexFiles::mark_opening() const {
  std::ofstream marker(opening_marker());
  if (!marker)
    return failed("writing", opening_marker(), std::error_code(errno, std::generic_category()));
  return {};
}

Result<void> IndexFiles::opened() const {
  std::error_code error;
  if (fs::remove(opening_marker(), error); error)
    return failed("removing", opening_marker(), error);
  return {};
}

Result<void> IndexFiles::rename_new() const {
  if (auto synced = sync_directory(new_directory_); !synced) return synced;
  if (auto discarded = discard(); !discarded) return discarded;
  std::error_code error;
  if (fs::rename(new_directory_, directory_, error); error)
    return failed("renaming", new_directory_, error);
  return sync_directory(fs::path(directory_).parent_path());
}

}  // namespace esdb::storage
