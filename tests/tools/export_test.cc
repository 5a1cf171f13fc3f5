#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/fixtures/scratch_directory.h"
#include "tests/tools/run_esctl.h"
#include "tools/json_text.h"
#include "tools/line_reader.h"

namespace esdb::tools {
namespace {

using testing::lines_of;
using testing::RunEsctl;

const std::string kSmall = ESDB_TEST_DATA "/small.ndjson.zst";

std::vector<std::string> lines_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  LineReader reader(file);
  std::vector<std::string> lines;
  while (reader.next().value() == LineReader::Status::kLine) lines.emplace_back(reader.line());
  return lines;
}

// The bytes of a field's value in a line, as they stand there.
std::string raw(const std::string& line, const std::string& key) {
  JsonReader reader;
  auto padded = line;
  padded.append(kJsonPadding, '\0');
  for (const auto& member : reader.members(std::string_view(padded).substr(0, line.size())).value())
    if (member.key == key) return std::string(member.raw);
  return {};
}

TEST(EsctlExport, GivesBackWhatWasImportedEventByEvent) {
  const fixtures::ScratchDirectory directory;
  RunEsctl esctl;
  ASSERT_EQ(esctl({"import", kSmall, "--commit-by", "correlationId"}).code, 0);
  const auto done = esctl({"export", "-o", directory.path("out.ndjson.zst")});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto in = lines_in(kSmall), out = lines_in(directory.path("out.ndjson.zst"));
  ASSERT_EQ(in.size(), out.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    for (const auto* key : {"stream", "id", "type", "time", "data", "metadata"})
      ASSERT_EQ(raw(in[i], key), raw(out[i], key)) << i;
    ASSERT_EQ(raw(out[i], "position"), std::to_string(i + 1));
  }
}

TEST(EsctlExport, OfAnExportIsTheSameExport) {
  RunEsctl first, second;
  for (const std::string data : {"{\"a\": 1e400}", "\n", "plain", ""}) {
    first.store
        ->append("s-" + std::to_string(data.size()), {.type = "T",
                                                      .data = data,
                                                      .metadata = data,
                                                      .tags = {{"t", data}},
                                                      .content_type = "text/x"})
        .value();
  }
  const auto exported = first({"export"}).out;
  ASSERT_EQ(second({"import", "-", "--source", "x"}, exported).code, 0);
  const auto again = lines_of(second({"export"}).out);
  const auto lines = lines_of(exported);
  ASSERT_EQ(lines.size(), again.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto one = nlohmann::json::object(), other = one;
    for (const auto* key : {"stream", "type", "id", "time", "content_type", "data", "data_base64",
                            "metadata", "metadata_base64", "tags"}) {
      one[key] = raw(lines[i], key), other[key] = raw(again[i], key);
    }
    EXPECT_EQ(one, other);
  }
}

TEST(EsctlExport, TakesASelectionAndARange) {
  RunEsctl esctl;
  for (int i = 0; i < 10; ++i)
    esctl.store->append(i % 2 == 0 ? "a-1" : "b-1", {.type = "T"}).value();
  EXPECT_EQ(lines_of(esctl({"export"}).out).size(), 10u);
  EXPECT_EQ(lines_of(esctl({"export", "--category", "a", "--after", "3"}).out).size(), 3u);
  EXPECT_EQ(lines_of(esctl({"export", "a-1", "--limit", "2"}).out).size(), 2u);
}

TEST(EsctlExport, SaysWhatItCannotWrite) {
  RunEsctl esctl;
  esctl.store->append("s", {.type = "T"}).value();
  const auto done = esctl({"export", "-o", "/no/such/directory/x"});
  EXPECT_EQ(done.code, 1);
  EXPECT_NE(done.err.find("No such file or directory"), std::string::npos) << done.err;
  EXPECT_EQ(esctl({"export", "-o", "/dev/full"}).code, 1);
}

}  // namespace
}  // namespace esdb::tools
