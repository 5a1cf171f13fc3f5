#include "tools/line_writer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/fixtures/scratch_directory.h"
#include "tools/line_reader.h"

namespace esdb::tools {
namespace {

TEST(LineWriter, AFileAppearsWhenItIsWhole) {
  const fixtures::ScratchDirectory directory;
  {
    auto writer = LineWriter::to_file(directory.path("out")).value();
    ASSERT_TRUE(writer->write("one\n"));
    EXPECT_FALSE(std::filesystem::exists(directory.path("out")));
    ASSERT_TRUE(writer->finish());
  }
  EXPECT_EQ(fixtures::read_file(directory.path("out")), "one\n");
  EXPECT_FALSE(std::filesystem::exists(directory.path("out.part")));
}

TEST(LineWriter, LeavesTheOldFileWhereTheNewOneIsNotFinished) {
  const fixtures::ScratchDirectory directory;
  directory.write("out", "old\n");
  {
    auto writer = LineWriter::to_file(directory.path("out")).value();
    ASSERT_TRUE(writer->write("new\n"));
  }
  EXPECT_EQ(fixtures::read_file(directory.path("out")), "old\n");
  EXPECT_FALSE(std::filesystem::exists(directory.path("out.part")));
}

TEST(LineWriter, CompressesWhatIsNamedSo) {
  const fixtures::ScratchDirectory directory;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "line " + std::to_string(i) + "\n";
  {
    auto writer = LineWriter::to_file(directory.path("out.zst")).value();
    ASSERT_TRUE(writer->write(text));
    ASSERT_TRUE(writer->finish());
  }
  EXPECT_LT(fixtures::read_file(directory.path("out.zst")).size(), text.size() / 3);
  std::ifstream file(directory.path("out.zst"), std::ios::binary);
  LineReader reader(file);
  std::string back;
  while (reader.next().value() == LineReader::Status::kLine)
    back.append(reader.line()).append("\n");
  EXPECT_EQ(back, text);
}

TEST(LineWriter, WritesToWhatIsNoFileAsItIs) {
  auto writer = LineWriter::to_file("/dev/null").value();
  ASSERT_TRUE(writer->write("gone\n"));
  ASSERT_TRUE(writer->finish());
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(LineWriter, SaysWhatItCannotWrite) {
  const auto missing = LineWriter::to_file("/no/such/directory/out");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message,
            "cannot write /no/such/directory/out.part: No such file or directory");
  auto full = LineWriter::to_file("/dev/full").value();
  const bool written = full->write(std::string(1 << 20, 'a')) && full->finish();
  EXPECT_FALSE(written);
  std::ostringstream closed;
  closed.setstate(std::ios::badbit);
  EXPECT_FALSE(LineWriter(closed).write("x"));
}

}  // namespace
}  // namespace esdb::tools
