// What the other tests rest on: a difference between lines of events is found.
#include "tests/end_to_end/event_lines.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

constexpr const char* kImported =
    R"({"stream":"a-1","id":"1","type":"T","time":"2018-07-13T12:29:24Z",)"
    R"("data":{"n": 1.0},"metadata":{"k":"}"}})"
    "\n"
    R"({"stream":"a-é","id":"2","type":"T","time":"2018-07-13T12:29:24Z",)"
    R"("data":[1,"\"]"]})"
    "\n";

std::string exported(const std::string& first_data, const std::string& second_position) {
  return R"({"position":1,"stream":"a-1","type":"T","id":"1","time":"2018-07-13T12:29:24Z",)"
         R"("data":)" +
         first_data + R"(,"metadata":{"k":"}"}})" + "\n" + R"({"position":)" + second_position +
         R"(,"stream":"a-\u00e9","type":"T","id":"2","time":"2018-07-13T12:29:24Z",)"
         R"("data":[1,"\"]"]})"
         "\n";
}

std::string difference_to(const std::string& text) {
  const fixtures::ScratchDirectory scratch;
  return difference(LineFile(scratch.write("imported", kImported)),
                    LineFile(scratch.write("exported", text)));
}

TEST(EventLines, AreTheSameHoweverKeysAreOrderedAndTextIsEscaped) {
  EXPECT_EQ(difference_to(exported(R"({"n": 1.0})", "2")), "");
}

TEST(EventLines, DifferInEveryByteOfData) {
  EXPECT_NE(difference_to(exported(R"({"n":1.0})", "2")), "");
  EXPECT_NE(difference_to(exported(R"({"n": 1})", "2")), "");
}

TEST(EventLines, DifferWhereAPositionIsLeftOut) {
  EXPECT_NE(difference_to(exported(R"({"n": 1.0})", "3")), "");
}

TEST(EventLines, DifferWhereOneIsMissing) {
  const auto both = exported(R"({"n": 1.0})", "2");
  EXPECT_NE(difference_to(both.substr(0, both.find('\n') + 1)), "");
}

TEST(EventLines, GiveValuesAsTheyAreWritten) {
  const std::string_view object = R"({"a":"x,\"}","b":{"c":[1, {"d":2}]},"e":-1.50})";
  EXPECT_EQ(raw_value(object, "a"), R"("x,\"}")");
  EXPECT_EQ(raw_value(object, "b"), R"({"c":[1, {"d":2}]})");
  EXPECT_EQ(raw_value(object, "e"), "-1.50");
  EXPECT_EQ(raw_value(object, "c"), "");
}

}  // namespace
}  // namespace esdb::end_to_end
