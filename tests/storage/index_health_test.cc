#include "storage/index_health.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

TEST(IndexHealth, RemembersDamageAndLeavesAMarker) {
  fixtures::ScratchDirectory directory;
  std::vector<std::string> said;
  IndexHealth health(directory.path() + "/damaged",
                     [&](std::string_view line) { said.emplace_back(line); });
  EXPECT_FALSE(health.is_damaged());
  const Error first = health.damaged("a row");
  EXPECT_EQ(first.code, ErrorCode::kUnavailable);
  EXPECT_NE(first.message.find("a row"), std::string::npos);
  EXPECT_TRUE(health.is_damaged());
  EXPECT_EQ(health.damaged("another row").message, first.message) << "the first is told";
  EXPECT_EQ(health.error().message, first.message);
  EXPECT_EQ(said, std::vector{first.message});
  EXPECT_TRUE(std::filesystem::exists(directory.path() + "/damaged"));
  health.forget();
  EXPECT_FALSE(health.is_damaged());
}

TEST(IndexHealth, SaysThatItsMarkerCouldNotBeWritten) {
  fixtures::ScratchDirectory directory;
  std::string said;
  IndexHealth health(directory.path() + "/none/damaged",
                     [&](std::string_view line) { said = line; });
  health.damaged("a row");
  EXPECT_NE(said.find("could not write"), std::string::npos) << said;
}

}  // namespace
}  // namespace esdb::storage
