// Events as commands show them: a line for people, or a JSON line.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "esdb/cursor.h"
#include "tools/command.h"
#include "tools/json_lines.h"

namespace esdb::tools {

// Threads: one.
class EventPrinter {
 public:
  explicit EventPrinter(const Invocation& invocation);
  void print(const RecordedEvent& event);
  Result<void> flush();  // what was printed is out, or could not be written
  std::uint64_t printed() const { return printed_; }

 private:
  void append_for_people(const RecordedEvent& event);

  std::ostream& out_;
  Terminal terminal_;
  bool json_;
  JsonLineWriter lines_{};
  std::string buffer_{};
  std::uint64_t printed_ = 0;
};

}  // namespace esdb::tools
