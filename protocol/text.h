// Names and short texts: what is accepted, and the one way of saying what is wrong with one.
//
// Threads: functions, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "esdb/error.h"

namespace esdb::protocol {

// Whether `text` is UTF-8: no overlong form, no surrogate, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

// What a field may hold, beyond being UTF-8.
struct TextRule {
  std::string_view field;        // as messages call it: "stream", "events[2].type"
  std::size_t bytes_max;         // at least one byte is always needed
  bool control_allowed = false;  // bytes below 0x20, and 0x7f
  bool system_allowed = true;    // names that begin with '$'
};
Result<void> check_text(std::string_view text, const TextRule& rule);

// A text for a one-line message: cut after `bytes_max`, control and broken bytes written as \xHH.
std::string shown(std::string_view text, std::size_t bytes_max = 60);

// kInvalidArgument and kTooLarge with the message, which begins with the field: "stream: empty".
std::unexpected<Error> invalid(std::string message);
std::unexpected<Error> too_large(std::string message);

}  // namespace esdb::protocol
