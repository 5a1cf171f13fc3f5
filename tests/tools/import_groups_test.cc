#include "tools/import_groups.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace esdb::tools {
namespace {

// What becomes of lines, each written as one word: "a" a line of group a, "-" a line without the
// key, "!" a line too broken to tell its group, "!a" a bad line of group a. Written: "1-2 3", with
// spoiled groups as "(4-5)".
std::string groups_of(const std::vector<std::string>& words, Grouping grouping) {
  std::string found;
  const auto span = [](std::uint64_t first, std::uint64_t last) {
    return std::to_string(first) + (first == last ? "" : "-" + std::to_string(last));
  };
  const auto add = [&](const std::string& text) { found += (found.empty() ? "" : " ") + text; };
  Groups groups(
      grouping,
      [&](Unit unit) -> Result<void> {
        EXPECT_EQ(unit.events.size(), unit.places.size());
        EXPECT_EQ(unit.tracked_to, unit.places.back());
        add(span(unit.places.front(), unit.tracked_to));
        return {};
      },
      [&](const SpoiledGroup& group) -> Result<void> {
        add("(" + span(group.first_line, group.last_line) + ")");
        return {};
      });
  std::uint64_t number = 0;
  for (const auto& word : words) {
    ++number;
    JsonLineReader::Line line;
    line.event = {.stream = "s", .type = "T", .data = std::string(10, 'x')};
    line.group_known = word != "!";
    line.group = word.substr(word.starts_with('!') ? 1 : 0);
    if (line.group == "-") line.group.clear();
    const auto done =
        word.starts_with('!') ? groups.add_bad({number, "bad"}, &line) : groups.add(number, line);
    EXPECT_TRUE(done);
  }
  EXPECT_TRUE(groups.finish());
  return found;
}

std::string by_key(const std::vector<std::string>& words) {
  return groups_of(words, {.by_key = true});
}

std::string by_size(std::size_t size, const std::vector<std::string>& words) {
  return groups_of(words, {.lines = size});
}

TEST(ImportGroups, ConsecutiveLinesOfOneKeyAreOneAppend) {
  EXPECT_EQ(by_key({"a", "a", "b", "a"}), "1-2 3 4");
  EXPECT_EQ(by_key({}), "");
}

TEST(ImportGroups, ALineWithoutTheKeyIsAnAppendOfItsOwn) {
  EXPECT_EQ(by_key({"-", "-", "a", "-"}), "1 2 3 4");
}

TEST(ImportGroups, ABadLineSpoilsTheGroupItBelongsTo) {
  EXPECT_EQ(by_key({"a", "!b", "b", "c"}), "1 (2-3) 4");
  EXPECT_EQ(by_key({"a", "!a", "b"}), "(1-2) 3");
  EXPECT_EQ(by_key({"a", "!a", "a", "b"}), "(1-3) 4");
  EXPECT_EQ(by_key({"!a", "a", "b"}), "(1-2) 3");
  EXPECT_EQ(by_key({"-", "!-", "-"}), "1 (2) 3");
}

TEST(ImportGroups, ALineTooBrokenToTellSpoilsBothItsNeighbours) {
  EXPECT_EQ(by_key({"a", "!", "b", "b", "c"}), "(1-2) (3-4) 5");
  EXPECT_EQ(by_key({"a", "!", "a", "b"}), "(1-3) 4");
  EXPECT_EQ(by_key({"!", "a", "a", "b"}), "(1-3) 4");
  EXPECT_EQ(by_key({"a", "!", "!", "b", "c"}), "(1-3) (4) 5");
  EXPECT_EQ(by_key({"a", "!"}), "(1-2)");
}

TEST(ImportGroups, ALineWithoutTheKeyHasNoPartInItsNeighbours) {
  EXPECT_EQ(by_key({"-", "!", "-"}), "1 (2) 3");
  EXPECT_EQ(by_key({"-", "!", "a", "b"}), "1 (2-3) 4");
  EXPECT_EQ(by_key({"a", "!", "-"}), "(1-2) 3");
}

TEST(ImportGroups, BySizeSoManyLinesAreOneAppend) {
  EXPECT_EQ(by_size(2, {"", "", "", "", ""}), "1-2 3-4 5");
  EXPECT_EQ(by_size(2, {"", "!", "", "", ""}), "(1-2) 3-4 5");
  EXPECT_EQ(by_size(1, {"", "!", ""}), "1 (2) 3");
}

TEST(ImportGroups, BySizeLargeLinesMakeSmallerAppends) {
  EXPECT_EQ(groups_of({"", "", ""}, {.bytes = 300}), "1-2 3");
  EXPECT_EQ(groups_of({"", ""}, {.bytes = 1}), "1 2");
}

TEST(ImportGroups, AGroupLargerThanAnyAppendIsSpoiled) {
  EXPECT_EQ(groups_of({"a", "a", "a", "a", "b"}, {.by_key = true, .key_bytes_max = 300}),
            "(1-4) 5");
}

}  // namespace
}  // namespace esdb::tools
