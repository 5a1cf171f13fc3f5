#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/fixtures/scratch_directory.h"
#include "tests/tools/run_esctl.h"

namespace esdb::tools {
namespace {

using testing::lines_of;
using testing::RunEsctl;

// What is found depends on the machine; that it is told, and how it ends, does not.
TEST(EsctlDoctor, TellsEveryCheckAndEndsByItsProblems) {
  const fixtures::ScratchDirectory directory;
  RunEsctl esctl;
  const auto done = esctl({"doctor", directory.path(), "--json"});
  auto lines = lines_of(done.out);
  ASSERT_GT(lines.size(), 10U) << done.err;
  const auto sum = nlohmann::json::parse(lines.back());
  lines.pop_back();
  int problems = 0, warnings = 0;
  for (const auto& line : lines) {
    const auto finding = nlohmann::json::parse(line);
    EXPECT_FALSE(finding["check"].get<std::string>().empty());
    problems += finding["grade"] == "problem" ? 1 : 0;
    warnings += finding["grade"] == "warning" ? 1 : 0;
    EXPECT_EQ(finding["remedy"] == "", finding["grade"] == "ok") << line;
  }
  EXPECT_EQ(sum["problems"], problems);
  EXPECT_EQ(sum["warnings"], warnings);
  EXPECT_EQ(done.code, problems == 0 ? 0 : 1);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(EsctlDoctor, EndsWithAnErrorWhereNothingCanBeWritten) {
  RunEsctl esctl;
  const auto done = esctl({"doctor", "/proc/self"});
  EXPECT_EQ(done.code, 1);
  EXPECT_NE(done.out.find("problem  direct I/O"), std::string::npos) << done.out;
  EXPECT_EQ(done.out.find('\x1b'), std::string::npos) << "colours without a terminal";
}

}  // namespace
}  // namespace esdb::tools
