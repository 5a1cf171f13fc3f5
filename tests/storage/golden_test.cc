// Golden files: the bytes that released versions have written, and that every later one reads.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "storage/posix_io.h"
#include "storage/verify.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/storage/golden_store.h"

namespace esdb::storage {
namespace {

const std::string kGolden = std::string(ESDB_SOURCE_DIR) + "/tests/golden/v1/";

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden))
    names.push_back(entry.path().filename().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

// With ESDB_GOLDEN_DIRECTORY set, the files are written there instead: how those of a new format
// version are made.
TEST(Golden, TheSameEventsAreStillWrittenAsTheSameBytes) {
  const auto made = make_golden_store();
  if (const char* directory = std::getenv("ESDB_GOLDEN_DIRECTORY")) {
    for (const auto& [name, text] : made)
      std::ofstream(std::string(directory) + "/" + name + ".hex", std::ios::binary) << text;
    GTEST_SKIP() << "written to " << directory;
  }
  ASSERT_EQ(golden_names().size(), made.size());
  for (const auto& [name, text] : made)
    EXPECT_TRUE(text == content_of(kGolden + name + ".hex"))
        << name << " is written otherwise than before: a change of the format needs a new version";
}

TEST(Golden, HexAndBytesAreTheSame) {
  for (const std::string& bytes :
       {std::string("abc"), std::string(40, '\0'), std::string(40, '\0') + "x", std::string()}) {
    EXPECT_EQ(bytes_of_hex(hex_of_bytes(bytes)), bytes);
  }
}

TEST(Golden, TheFirstFormatIsStillRead) {
  fixtures::ScratchDirectory directory;
  const auto store = directory.path() + "/store";
  std::filesystem::create_directories(store + "/log");
  for (const auto& name : golden_names())
    std::ofstream(store + "/log/" + name, std::ios::binary)
        << bytes_of_hex(content_of(kGolden + name + ".hex"));

  const auto report = verify(store);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_TRUE(report->damages.empty()) << report->damages.front().what;
  EXPECT_EQ(report->sealed, 1U);
  EXPECT_EQ(report->epochs, 2U);
  EXPECT_EQ(report->tracking, 2U);

  PosixIo io;
  LogDriver driver(io, log_options(store));
  ASSERT_EQ(driver.open(), "");
  BatchMemory batch;
  ASSERT_EQ(
      driver.log().read_forwards(0, driver.log().durable(), {.bytes = 1 << 20}, batch).value(),
      Position{golden_events().size()});
  for (std::size_t i = 0; i < golden_events().size(); ++i) {
    EXPECT_EQ(batch.stored[i].id, golden_events()[i].id);
    EXPECT_EQ(protocol::stream_of(batch.stored[i].encoded), golden_events()[i].stream);
    EXPECT_EQ(protocol::data_of(batch.stored[i].encoded), golden_events()[i].data);
  }
  EXPECT_EQ(batch.stored[1].version, Version{2});
  EXPECT_FALSE(batch.stored[1].ends_append);
  EXPECT_TRUE(batch.stored[2].ends_append);
  ASSERT_EQ(driver.append("order-3", "more"), "");
}

// Lines of hex in the document are lines of the golden segments.
TEST(Golden, TheDocumentsExampleIsTheGoldenStore) {
  std::set<std::string> lines;
  for (const auto& name : golden_names()) {
    std::istringstream text(content_of(kGolden + name + ".hex"));
    for (std::string line; std::getline(text, line);) lines.insert(line);
  }
  std::istringstream document(content_of(std::string(ESDB_SOURCE_DIR) + "/docs/format.md"));
  std::size_t shown = 0;
  for (std::string line; std::getline(document, line);) {
    const bool is_hex =
        line.size() > 10 && line.find_first_not_of("0123456789abcdef") == 8 && line[9] == ' ';
    if (!is_hex) continue;
    ++shown;
    const auto bytes = line.substr(0, line.find("   "));
    EXPECT_TRUE(lines.contains(bytes)) << line;
  }
  EXPECT_GT(shown, 40U);
}

}  // namespace
}  // namespace esdb::storage
