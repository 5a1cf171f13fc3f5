#include "storage/opening_error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace esdb::storage {
namespace {

TEST(OpeningError, HasOneRemedyForEveryCause) {
  const struct {
    int number;
    ErrorCode code;
    std::string_view remedy;
  } causes[] = {{EACCES, ErrorCode::kDenied, "as the user who owns its files"},
                {EPERM, ErrorCode::kDenied, "as the user who owns its files"},
                {EROFS, ErrorCode::kDenied, "for reading"},
                {ENOSPC, ErrorCode::kDiskFull, "make room"},
                {EDQUOT, ErrorCode::kDiskFull, "make room"},
                {EMFILE, ErrorCode::kUnavailable, "nothing is wrong with the store"},
                {ENOMEM, ErrorCode::kUnavailable, "nothing is wrong with the store"},
                {EIO, ErrorCode::kRefused, "mend it"},
                {ENOENT, ErrorCode::kRefused, "mend it"}};
  for (const auto& cause : causes) {
    const auto failed =
        opening_failed("log/1.seg cannot be read", IoError{cause.number}, "mend it");
    EXPECT_EQ(failed.error().code, cause.code) << cause.number;
    const auto& message = failed.error().message;
    EXPECT_TRUE(message.starts_with("log/1.seg cannot be read, ")) << message;
    EXPECT_NE(message.find(cause.remedy), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace esdb::storage
