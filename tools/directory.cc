#include "tools/directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace esdb::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAsItsOwner = "run esctl as the user that the store belongs to";

std::unexpected<Error> denied(const fs::path& path, std::string_view what, std::error_code why,
                              std::string_view what_to_do) {
  return std::unexpected(Error{.code = ErrorCode::kDenied,
                               .message = fmt::format("cannot {} {}: {}; {}", what, path.string(),
                                                      why.message(), what_to_do)});
}

// Whether this user may; what is not there, or wrong in another way, is opening's to tell.
Result<void> may_use(const fs::path& path, Purpose purpose) {
  std::error_code ignored;
  const int read = fs::is_directory(path, ignored) ? R_OK | X_OK : R_OK;
  const auto refused = [&path](int mode) {
    return ::faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) != 0 &&
           (errno == EACCES || errno == EPERM || errno == EROFS);
  };
  if (refused(read)) return denied(path, "read", {errno, std::generic_category()}, kAsItsOwner);
  if (purpose == Purpose::kWrite && refused(W_OK))
    return denied(path, "write to", {errno, std::generic_category()},
                  errno == EROFS ? "mount it for writing" : kAsItsOwner);
  return {};
}

Result<void> may_use_all_in(const fs::path& directory, Purpose purpose) {
  if (auto may = may_use(directory, purpose); !may) return may;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (auto may = may_use(at->path(), purpose); !may) return may;
  }
  return {};
}

// A new store: the nearest directory that is there takes what is made in it.
Result<void> can_be_made(const fs::path& directory) {
  std::error_code error;
  auto at = fs::absolute(directory, error);
  while (!fs::exists(at, error) && at.has_parent_path() && at != at.parent_path())
    at = at.parent_path();
  if (!fs::is_directory(at, error))
    return failed(fmt::format("no store can be made at {}: {} is no directory", directory.string(),
                              at.string()));
  return may_use(at, Purpose::kWrite);
}

bool holds_a_segment(const fs::path& log) {
  std::error_code error;
  for (fs::directory_iterator at(log, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".seg") return true;
  }
  return false;
}

}  // namespace

bool is_directory_url(std::string_view url) {
  return !url.starts_with("unix:") && !url.starts_with("memory:") && !url.starts_with("tcp:") &&
         url.find("://") == url.npos;
}

Result<bool> is_there(const fs::path& path, std::string_view what_to_do) {
  std::error_code unseen;
  const bool there = fs::exists(path, unseen);
  if (!unseen) return there;
  if (unseen == std::errc::permission_denied) return denied(path, "look at", unseen, what_to_do);
  return failed(fmt::format("cannot look at {}: {}", path.string(), unseen.message()));
}

Result<void> check_directory(const std::string& directory, Purpose purpose) {
  const fs::path root(directory), log = root / "log";
  const auto there = is_there(log, kAsItsOwner);
  if (!there) return std::unexpected(there.error());
  if (!*there && purpose == Purpose::kWrite) return can_be_made(root);
  for (const auto& part : {root, log, root / "index"}) {
    if (auto may = may_use_all_in(part, purpose); !may) return may;
  }
  std::error_code ignored;
  const bool indexed = fs::exists(root / "index", ignored);
  if (purpose == Purpose::kRead && !indexed && !holds_a_segment(log))
    return no_store(fmt::format("there is no store at {}", directory));
  // Nothing to be opened is left, but it was a store.
  if (!*there && indexed)
    return std::unexpected(
        Error{.code = ErrorCode::kRefused,
              .message = fmt::format("the store in {}: it has an index but no log: {} was deleted; "
                                     "restore the directory from a backup",
                                     directory, log.string())});
  return {};
}

}  // namespace esdb::tools
