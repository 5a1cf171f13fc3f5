// JSON lines: one event as one line of JSON, in both directions.
//
//   {"position":3,"version":2,"stream":"order-1","type":"Paid","id":"018f...","time":"2024-...Z",
//    "committed":"2024-...Z","append":3,"data":{"total":12},"metadata":{...},"tags":["vip"]}
//
// `data` and `metadata` that are JSON on one line stand there byte for byte; any other bytes stand
// as data_base64 and metadata_base64; empty ones are left out. `content_type` is left out where it
// is JSON. Read back, only `stream` and `type` are needed; position, version, committed and append
// are the store's and ignored, and so are keys that mean nothing here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "esdb/error.h"
#include "esdb/event.h"
#include "tools/json_text.h"

namespace esdb::tools {

// Threads: one at a time.
class JsonLineWriter {
 public:
  void append_line(const RecordedEvent& event, std::string& out);  // with its newline

 private:
  void append_bytes(std::string_view name, std::string_view bytes, std::string& out);
  JsonReader reader_{};
};

// Threads: one at a time.
class JsonLineReader {
 public:
  struct Line {
    NewEvent event{};
    bool has_id = false;  // else event.id says nothing
    std::string group{};  // value of the key that lines are grouped by, as written; empty: none
    bool group_known = false;  // whether the line was whole enough to tell its group
  };

  // `group_key`: the key whose value groups lines; empty for none. It is looked for in the line
  // itself, then in its metadata, then in its data.
  explicit JsonLineReader(std::string group_key = {}) : group_key_(std::move(group_key)) {}

  // Fills `line`; what is wrong is one line of text that says which field and why. `text` is
  // followed by kJsonPadding readable bytes.
  Result<void> read(std::string_view text, Line& line);

 private:
  struct Fields;
  Result<void> fill(const Fields& fields, Line& line);
  Result<void> fill_bytes(std::string_view name, std::string_view raw, std::string_view base64,
                          std::string& out);
  void find_group(std::span<const JsonMember> members, Line& line) const;

  std::string group_key_;
  JsonReader reader_{};
};

}  // namespace esdb::tools
