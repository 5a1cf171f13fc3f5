// JSON text, checked and cut into slices, never rewritten: what lies in `data` and `metadata` is
// kept byte for byte (big numbers, duplicate keys, spacing), so nothing here turns it into values.
//
// Accepted is RFC 8259 with two limits: nesting up to kJsonDepthMax, and escapes that make UTF-8 (a
// lone surrogate does not).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/error.h"

namespace esdb::tools {

inline constexpr std::size_t kJsonDepthMax = 256;
inline constexpr std::size_t kJsonPadding = 64;  // readable bytes that must follow a text

// One member of an object. `raw` is its value as written, without surrounding white space.
struct JsonMember {
  std::string_view key{};
  std::string_view raw{};
};

// Threads: one at a time. Results are valid until the next call.
class JsonReader {
 public:
  JsonReader();
  ~JsonReader();
  JsonReader(JsonReader&&) noexcept;

  // The members of an object, in order, every value in it checked. `watched`: a key that is also
  // looked for one level down; watched_in() gives the value found there.
  // `text` is followed by kJsonPadding readable bytes.
  Result<std::span<const JsonMember>> members(std::string_view text, std::string_view watched = {});
  // Of the last members(): the value of the watched key within the member `parent`, empty if none.
  std::string_view watched_in(std::string_view parent) const;

  // What a JSON string (its raw text, quotes included, already checked) says.
  Result<std::string> unquote(std::string_view raw);

  // What the strings of an array say (its raw text, already checked and padded as for members()).
  Result<std::vector<std::string>> strings(std::string_view raw);

  // Whether `text` is one JSON value with nothing around it. Copies `text` to pad it.
  Result<void> check(std::string_view text);
  // ... and on one line, so that it can stand in a JSON line as it is.
  bool is_one_line(std::string_view text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Appends `text` (UTF-8) as a JSON string.
void append_json_string(std::string_view text, std::string& out);

}  // namespace esdb::tools
