// Times and durations as people and JSON lines write them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "esdb/error.h"
#include "esdb/numbers.h"

namespace esdb::tools {

// RFC 3339 in UTC, with as many digits of a second as are not zero: "2018-07-13T12:29:24Z",
// "2018-07-13T12:29:24.5Z". The other direction takes any offset and up to nine digits.
std::string format_time(Time time);
void append_time(Time time, std::string& out);
Result<Time> parse_time(std::string_view text);

// "250ms", "30s", "5m", "1h", "7d", "2w"; a number alone is seconds.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
// For people: "4m 05s", "12.3s", "250ms".
std::string format_duration(std::chrono::nanoseconds duration);

// Of an option such as --since: a time, a day ("2018-07-13", its first moment in UTC), or a
// duration before `now`.
Result<Time> parse_moment(std::string_view text, Time now);

}  // namespace esdb::tools
