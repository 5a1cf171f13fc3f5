// One line of JSON. A line that is read, and whose event a store takes, is the same event when it
// is written as a store's line and read again.
#include <algorithm>
#include <string>
#include <vector>

#include "esdb/implement.h"
#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "tools/json_lines.h"

namespace esdb::tools {
namespace {

// As a line lies in the reader's buffer: bytes behind it may be read, and mean nothing.
class Padded {
 public:
  explicit Padded(std::string_view line) : text_(line), size_(line.size()) {
    text_.append(kJsonPadding, 'x');
  }
  operator std::string_view() const { return std::string_view(text_).substr(0, size_); }

 private:
  std::string text_;
  std::size_t size_;
};

protocol::EventFields fields_of(const NewEvent& event, std::pmr::vector<std::string_view> tags) {
  return {.id = event.id,
          .time = event.time,
          .stream = event.stream,
          .type = event.type,
          .data = event.data,
          .metadata = event.metadata,
          .content_type = event.content_type,
          .tags = std::move(tags)};
}

std::pmr::vector<std::string_view> sorted_tags(const NewEvent& event) {
  std::pmr::vector<std::string_view> tags;
  for (const auto& tag : event.tags) tags.push_back(tag.text);
  std::ranges::sort(tags);
  const auto repeated = std::ranges::unique(tags);
  tags.erase(repeated.begin(), repeated.end());
  return tags;
}

// The line that a store gives back, or nothing where no store takes the event.
std::string stored_line(const NewEvent& event) {
  const auto fields = fields_of(event, sorted_tags(event));
  if (!protocol::check_fields(fields)) return {};
  std::vector<std::byte> encoded;
  protocol::encode(fields, encoded);
  const RecordedEvent::Stored stored{.position = 7,
                                     .version = 3,
                                     .committed = Time(std::chrono::seconds(1'700'000'000)),
                                     .ordinal = 1,
                                     .ends_append = true,
                                     .id = event.id,
                                     .encoded = encoded};
  std::string line;
  JsonLineWriter().append_line(RecordedEvent(&stored), line);
  ESDB_CHECK(line.ends_with("}\n") && line.find('\n') == line.size() - 1);
  line.pop_back();
  return line;
}

std::string_view content_type(const NewEvent& event) {
  return event.content_type.empty() ? "application/json" : std::string_view(event.content_type);
}

void check_line(std::string_view text) {
  static JsonLineReader reader("g");
  static JsonLineReader::Line line, again;
  const Padded padded(text);
  if (const auto read = reader.read(padded, line); !read) {
    ESDB_CHECK(!read.error().message.empty());
    return;
  }
  if (!line.has_id) line.event.id = EventId::derive({}, 1);
  const auto written = stored_line(line.event);
  if (written.empty()) return;
  const Padded stored(written);
  ESDB_CHECK(reader.read(stored, again).has_value());
  ESDB_CHECK(again.has_id && again.event.id == line.event.id);
  ESDB_CHECK(again.event.stream == line.event.stream && again.event.type == line.event.type);
  ESDB_CHECK(again.event.data == line.event.data && again.event.metadata == line.event.metadata);
  ESDB_CHECK(content_type(again.event) == content_type(line.event));
  ESDB_CHECK(sorted_tags(again.event) == sorted_tags(line.event));
  ESDB_CHECK(!line.event.time || again.event.time == line.event.time);
}

}  // namespace
}  // namespace esdb::tools

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::tools::check_line({reinterpret_cast<const char*>(data), size});
  return 0;
}
