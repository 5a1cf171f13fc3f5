#include "tools/command_line.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tools/command.h"

namespace esdb::tools {
namespace {

using Words = std::vector<std::string>;

TEST(CommandLine, AnOptionThatEndsInAnEqualsSignHasAnEmptyValue) {
  EXPECT_EQ(readable(Words{"count", "--query=", "--type=T", "a="}),
            (Words{"count", "--query", "", "--type=T", "a="}));
  EXPECT_EQ(readable(Words{"info", "--", "--query="}), (Words{"info", "--", "--query="}));
  EXPECT_EQ(readable(Words{"--a=b="}), (Words{"--a=b="}));
}

TEST(CommandLine, AsksForJsonBeforeTheWordsBehindWhichNoOptionsAre) {
  EXPECT_TRUE(ask_for_json(Words{"count", "--json"}));
  EXPECT_FALSE(ask_for_json(Words{"count"}));
  EXPECT_FALSE(ask_for_json(Words{"info", "--", "--json"}));
}

TEST(CommandLine, CallsAFieldOfTheLibraryByItsOption) {
  const Error malformed{.code = ErrorCode::kInvalidArgument, .message = "query: tag: empty"};
  EXPECT_EQ(in_options(malformed).message, "--tag: empty");
  EXPECT_EQ(exit_code_of(in_options(malformed)), ExitCode::kUsage);
  const Error beyond{.code = ErrorCode::kOtherStore, .message = "start: position 9 lies beyond"};
  EXPECT_EQ(in_options(beyond).message, "--after: position 9 lies beyond");
  EXPECT_EQ(exit_code_of(in_options(beyond)), ExitCode::kError);
  const Error other{.code = ErrorCode::kInvalidArgument, .message = "there is no start: position"};
  EXPECT_EQ(in_options(other).message, other.message);
  EXPECT_EQ(exit_code_of(in_options(other)), ExitCode::kError);
}

}  // namespace
}  // namespace esdb::tools
