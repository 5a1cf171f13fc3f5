#include "storage/index_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

struct IndexFilesTest : ::testing::Test {
  void put(const std::string& path) { std::ofstream(path).put('x'); }

  fixtures::ScratchDirectory directory;
  IndexFiles files{directory.path() + "/index"};
};

TEST_F(IndexFilesTest, AreOnlyForTheirOwner) {
  files.make().value();
  EXPECT_EQ(std::filesystem::status(files.directory()).permissions(),
            std::filesystem::perms::owner_all);
  EXPECT_FALSE(files.exists());
  put(files.directory() + "/data.mdb");
  EXPECT_TRUE(files.exists());
}

TEST_F(IndexFilesTest, SayWhyTheyAreNotTrusted) {
  files.make().value();
  EXPECT_EQ(files.distrusted(), "");
  files.mark_opening().value();
  EXPECT_EQ(files.distrusted(), "the last attempt to open it did not come back");
  files.opened().value();
  EXPECT_EQ(files.distrusted(), "");
  put(files.damaged_marker());
  EXPECT_EQ(files.distrusted(), "damage was found in it");
  files.discard().value();
  EXPECT_EQ(files.distrusted(), "");
}

TEST_F(IndexFilesTest, AreReplacedByTheNewOnes) {
  files.make().value();
  put(files.directory() + "/data.mdb");
  put(files.damaged_marker());
  files.make_new().value();
  put(files.new_directory() + "/data.mdb");
  put(files.new_directory() + "/other");
  files.rename_new().value();
  EXPECT_TRUE(files.exists());
  EXPECT_EQ(files.distrusted(), "");
  EXPECT_TRUE(std::filesystem::exists(files.directory() + "/other"));
  EXPECT_FALSE(std::filesystem::exists(files.new_directory()));
}

TEST_F(IndexFilesTest, NameThePathOfWhatFailed) {
  put(directory.path() + "/index");
  const auto made = files.make();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(made.error().message.find(files.directory()), std::string::npos)
      << made.error().message;
}

}  // namespace
}  // namespace esdb::storage
