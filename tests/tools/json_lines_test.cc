#include "tools/json_lines.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/fixtures/reference_store.h"
#include "tools/times.h"

namespace esdb::tools {
namespace {

using std::string_view_literals::operator""sv;

Result<NewEvent> read_line(std::string text, std::string key = {}, std::string* group = nullptr) {
  JsonLineReader reader(std::move(key));
  JsonLineReader::Line line;
  const auto size = text.size();
  text.append(kJsonPadding, '\0');
  if (auto read = reader.read(std::string_view(text).substr(0, size), line); !read)
    return std::unexpected(read.error());
  if (group != nullptr) *group = line.group;
  return line.event;
}

std::string reason(const std::string& text) {
  const auto read = read_line(text);
  return read ? "accepted" : read.error().message;
}

// The one line that the store's only event becomes.
std::string line_of(const NewEvent& event) {
  const auto store = fixtures::make_reference_store();
  store->append({.events = {event}}).value();
  std::string line;
  JsonLineWriter writer;
  store->for_each(everything(), {}, [&](RecordedEvent e) { writer.append_line(e, line); }).value();
  return line;
}

TEST(JsonLines, KeepDataByteForByte) {
  for (const auto* data : {R"({"n":123456789012345678901234567890.10,"n":2, "e" : "\u00e9/\/"})",
                           "null", "[1,  2]", "\"x\"", "-0", "true"}) {
    const auto event =
        read_line(std::string(R"({"stream":"s","type":"T","metadata":[],"data":)") + data + "}");
    ASSERT_TRUE(event) << event.error().message;
    EXPECT_EQ(event->data, data);
    EXPECT_EQ(event->metadata, "[]");
    const auto line = line_of(*event);
    EXPECT_NE(line.find(std::string("\"data\":") + data + ",\"metadata\":[]"), line.npos) << line;
  }
}

TEST(JsonLines, CarryAnyBytesAsBase64) {
  for (const auto data : {"plain text"sv, "{\n}"sv, " {}"sv, "\0\xff"sv}) {
    const auto line = line_of(
        {.stream = "s", .type = "T", .data = std::string(data), .metadata = std::string(data)});
    EXPECT_NE(line.find("\"data_base64\":\""), line.npos) << line;
    EXPECT_NE(line.find("\"metadata_base64\":\""), line.npos) << line;
    const auto event = read_line(line).value();
    EXPECT_EQ(event.data, data);
    EXPECT_EQ(event.metadata, data);
  }
}

TEST(JsonLines, SayEverythingAnEventHolds) {
  const auto id = EventId::parse("b161166d-33db-5bf6-8f52-5fe1a13daa7a").value();
  const NewEvent event{.stream = "order \"1\"",
                       .type = "Pläced",
                       .data = "{}",
                       .tags = {{"b"}, {"a", "1"}},
                       .content_type = "application/cbor",
                       .time = parse_time("2018-07-13T12:29:24.5Z").value(),
                       .id = id};
  const auto line = line_of(event);
  EXPECT_TRUE(line.starts_with(
      R"({"position":1,"version":1,"stream":"order \"1\"","type":"Pläced",)"
      R"("id":"b161166d-33db-5bf6-8f52-5fe1a13daa7a","time":"2018-07-13T12:29:24.5Z",)"
      R"("committed":")"))
      << line;
  EXPECT_NE(
      line.find(R"("append":1,"content_type":"application/cbor","data":{},"tags":["a:1","b"]})"
                "\n"),
      line.npos)
      << line;
  const auto back = read_line(line).value();
  EXPECT_EQ(back.stream, event.stream);
  EXPECT_EQ(back.type, event.type);
  EXPECT_EQ(back.id, event.id);
  EXPECT_EQ(back.time, event.time);
  EXPECT_EQ(back.content_type, event.content_type);
  EXPECT_EQ(back.tags, (std::vector<Tag>{{"a:1"}, {"b"}}));
}

TEST(JsonLines, LeaveOutWhatIsEmpty) {
  const auto line = line_of({.stream = "s", .type = "T", .content_type = "application/json"});
  for (const auto* key : {"data", "metadata", "tags", "content_type"})
    EXPECT_EQ(line.find(key), line.npos) << line;
}

TEST(JsonLines, NeedOnlyStreamAndType) {
  const auto event = read_line(R"( {"type":"T","position":"x","other":1,"stream":"a\u002d1"} )");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->stream, "a-1");
  EXPECT_FALSE(event->time);
}

TEST(JsonLines, TellWhichFieldIsWrong) {
  const std::string begin = R"({"stream":"s","type":"T",)";
  EXPECT_EQ(reason(R"({"type":"T"})"), "it has no \"stream\"");
  EXPECT_EQ(reason(R"({"stream":"s"})"), "it has no \"type\"");
  EXPECT_EQ(reason(R"({"stream":1,"type":"T"})"), "\"stream\" is not a string");
  EXPECT_EQ(reason(begin + R"("type":"U"})"), "\"type\" stands there twice");
  EXPECT_EQ(reason(begin + R"("id":"x"})"), "\"id\" is not a UUID: x");
  EXPECT_NE(reason(begin + R"("time":"noon"})").find("\"time\": \"noon\" is not a time"),
            std::string::npos);
  EXPECT_EQ(reason(begin + R"("tags":"a"})"), "\"tags\" is not a list of strings");
  EXPECT_EQ(reason(begin + R"("tags":["a",1]})"), "\"tags\" is not a list of strings");
  EXPECT_EQ(reason(begin + R"("data":1,"data_base64":"Zg=="})"),
            "it has both \"data\" and \"data_base64\"");
  EXPECT_EQ(reason(begin + R"("metadata_base64":"Zg"})"), "\"metadata_base64\" is not base64");
  EXPECT_EQ(reason(begin + R"("data_base64":7})"), "\"data_base64\" is not a string");
  EXPECT_EQ(reason("[]"), "not JSON: it is not an object");
  for (const std::string text :
       {"{\"stream\":\"\xff\"}", "{\"stream\":\"\xff", "\xff{", "{\"stream\":\xff}", "[\"\xe4\"]"})
    EXPECT_EQ(reason(text),
              "not UTF-8, in which JSON is written (UTF-16 or Latin-1 has to be converted)")
        << text;
  EXPECT_EQ(reason(begin), "not JSON: an object or array does not end");
}

TEST(JsonLines, FindTheGroupInTheLineThenMetadataThenData) {
  const auto group = [](const std::string& rest) {
    std::string found = "?";
    EXPECT_TRUE(read_line(R"({"stream":"s","type":"T")" + rest + "}", "k", &found));
    return found;
  };
  EXPECT_EQ(group(R"(,"data":{"k":3},"metadata":{"k":2},"k":"1")"), "\"1\"");
  EXPECT_EQ(group(R"(,"data":{"k":3},"metadata":{"k":2})"), "2");
  EXPECT_EQ(group(R"(,"data":{"k":3},"metadata":{"x":{"k":2}},"k":null)"), "3");
  EXPECT_EQ(group(R"(,"data":[{"k":3}])"), "");
}

}  // namespace
}  // namespace esdb::tools
