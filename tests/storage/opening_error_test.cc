#include "storage/opening_error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "storage/embedded_store.h"
#include "tests/fixtures/scratch_directory.h"

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
                {ENOTDIR, ErrorCode::kInvalidArgument, "give another directory"},
                {ENAMETOOLONG, ErrorCode::kInvalidArgument, "give another directory"},
                {EIO, ErrorCode::kRefused, "mend it"},
                {ENOENT, ErrorCode::kRefused, "mend it"},
                {ELOOP, ErrorCode::kRefused, "mend it"}};
  for (const auto& cause : causes) {
    const auto failed =
        opening_failed("log/1.seg cannot be read", IoError{cause.number}, "mend it");
    EXPECT_EQ(failed.error().code, cause.code) << cause.number;
    const auto& message = failed.error().message;
    EXPECT_TRUE(message.starts_with("log/1.seg cannot be read, ")) << message;
    EXPECT_NE(message.find(cause.remedy), std::string::npos) << message;
  }
}

class NoDirectory : public ::testing::Test {
 protected:
  static Error error_of(const std::string& directory, OpenOptions options = {}) {
    options.memory = kMemoryMin;
    const auto store = open_directory(directory, options);
    return store ? Error{} : store.error();
  }
  static void expect_another_is_asked_for(const std::string& directory) {
    const auto error = error_of(directory);
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument) << error.message;
    EXPECT_TRUE(error.message.ends_with(": give another directory")) << error.message;
    EXPECT_EQ(error_of(directory, {.create = Create::kNever}).code, ErrorCode::kInvalidArgument);
  }
  const fixtures::ScratchDirectory scratch_;
  const std::string path_ = scratch_.path() + "/a";
};

TEST_F(NoDirectory, IsAFileNorWhatIsBelowOne) {
  std::ofstream(path_) << "text";
  expect_another_is_asked_for(path_);
  expect_another_is_asked_for(path_ + "/store");
}

TEST_F(NoDirectory, IsALinkThatLeadsNowhere) {
  std::filesystem::create_symlink("missing", path_);
  expect_another_is_asked_for(path_);
}

TEST_F(NoDirectory, IsALinkThatLeadsToItself) {
  std::filesystem::create_symlink("a", path_);
  expect_another_is_asked_for(path_);
}

TEST_F(NoDirectory, HasANameThatIsTooLong) {
  expect_another_is_asked_for(path_ + std::string(300, 'a'));
}

TEST_F(NoDirectory, IsAStoreWhoseLogIsAFile) {
  std::filesystem::create_directory(path_);
  std::ofstream(path_ + "/log") << "text";
  const auto error = error_of(path_);
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument) << error.message;
}

// The directory is one; what is lost is the store's.
TEST(OpeningError, AStoreWhoseSegmentLeadsNowhereIsRefused) {
  const fixtures::ScratchDirectory scratch;
  const auto path = scratch.path() + "/a", segment = path + "/log/00000001.seg";
  ASSERT_TRUE(open_directory(path, {.memory = kMemoryMin}).value()->append("s", {.type = "T"}));
  for (const auto* target : {"missing", "00000001.seg"}) {
    std::filesystem::remove(segment);
    std::filesystem::create_symlink(target, segment);
    const auto store = open_directory(path, {.memory = kMemoryMin});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::kRefused) << store.error().message;
  }
}

}  // namespace
}  // namespace esdb::storage
