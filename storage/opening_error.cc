#include "storage/opening_error.h"

#include <cerrno>

namespace esdb::storage {

namespace {

constexpr std::string_view kAnother = "give another directory";

std::unexpected<Error> error_of(ErrorCode code, const std::string& what, IoError cause,
                                std::string_view then) {
  return std::unexpected(
      Error{.code = code, .message = what + ", " + to_string(cause) + ": " + std::string(then)});
}

}  // namespace

std::unexpected<Error> opening_failed(const std::string& what, IoError cause,
                                      std::string_view remedy) {
  const auto error = [&](ErrorCode code, std::string_view then) {
    return error_of(code, what, cause, then);
  };
  if (cause.number == ENOTDIR || cause.number == ENAMETOOLONG)
    return error(ErrorCode::kInvalidArgument, kAnother);
  if (cause.number == EACCES || cause.number == EPERM || cause.number == EROFS)
    return error(ErrorCode::kDenied, "open it as the user who owns its files, or for reading");
  if (is_full(cause)) return error(ErrorCode::kDiskFull, "make room and open it again");
  if (is_passing(cause))
    return error(ErrorCode::kUnavailable,
                 "nothing is wrong with the store; give the process more descriptors or memory and "
                 "open it again");
  return error(ErrorCode::kRefused, remedy);
}

std::unexpected<Error> directory_failed(const std::string& what, IoError cause,
                                        std::string_view remedy) {
  if (cause.number == ENOENT || cause.number == ELOOP)
    return error_of(ErrorCode::kInvalidArgument, what, cause, kAnother);
  return opening_failed(what, cause, remedy);
}

}  // namespace esdb::storage
