#include "tools/times.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace esdb::tools {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

// What is left of a text while it is read from the front.
struct Rest {
  std::string_view text;

  bool take(char wanted) {
    if (text.empty() || text.front() != wanted) return false;
    text.remove_prefix(1);
    return true;
  }
  bool take_any(std::string_view wanted) {
    if (text.empty() || wanted.find(text.front()) == wanted.npos) return false;
    text.remove_prefix(1);
    return true;
  }
  // Exactly `count` digits.
  std::optional<int> number(std::size_t count) {
    if (text.size() < count) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (text[i] < '0' || text[i] > '9') return std::nullopt;
      value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
  }
};

std::optional<std::chrono::sys_days> take_day(Rest& rest) {
  const auto year = rest.number(4);
  if (!year || !rest.take('-')) return std::nullopt;
  const auto month = rest.number(2);
  if (!month || !rest.take('-')) return std::nullopt;
  const auto day = rest.number(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date};
}

struct Clock {
  seconds whole{};
  nanoseconds fraction{};
};

std::optional<Clock> take_clock(Rest& rest) {
  const auto hour = rest.number(2);
  if (!hour || *hour > 23 || !rest.take(':')) return std::nullopt;
  const auto minute = rest.number(2);
  if (!minute || *minute > 59 || !rest.take(':')) return std::nullopt;
  const auto second = rest.number(2);
  if (!second || *second > 59) return std::nullopt;
  Clock clock{seconds{*hour * 3600 + *minute * 60 + *second}, {}};
  if (!rest.take('.')) return clock;
  std::int64_t scale = 100'000'000;
  std::size_t digits = 0;
  for (; digits < 9; ++digits, scale /= 10) {
    const auto digit = rest.number(1);
    if (!digit) break;
    clock.fraction += nanoseconds{*digit * scale};
  }
  if (digits == 0) return std::nullopt;
  return clock;
}

std::optional<seconds> take_offset(Rest& rest) {
  if (rest.take_any("Zz")) return seconds{0};
  const bool west = !rest.text.empty() && rest.text.front() == '-';
  if (!rest.take_any("+-")) return std::nullopt;
  const auto hour = rest.number(2);
  if (!hour || *hour > 23 || !rest.take(':')) return std::nullopt;
  const auto minute = rest.number(2);
  if (!minute || *minute > 59) return std::nullopt;
  const seconds offset{*hour * 3600 + *minute * 60};
  return west ? -offset : offset;
}

std::unexpected<Error> bad_time(std::string_view text, std::string_view why) {
  return std::unexpected(
      Error{.code = ErrorCode::kInvalidArgument,
            .message = fmt::format("\"{}\" is not a time: {}", text.substr(0, 60), why)});
}

constexpr std::int64_t kNanos = 1'000'000'000;

// Nothing outside of what a Time holds, 1677-09-21 to 2262-04-11. A negative sum is made from the
// end of its first second, because that second may begin before the range does.
std::optional<Time> to_time(seconds whole, nanoseconds fraction) {
  std::int64_t second = whole.count(), nanos = fraction.count(), total = 0;
  if (second < 0 && nanos > 0) ++second, nanos -= kNanos;
  if (__builtin_mul_overflow(second, kNanos, &total)) return std::nullopt;
  if (__builtin_add_overflow(total, nanos, &total)) return std::nullopt;
  return Time{nanoseconds{total}};
}

}  // namespace

void append_time(Time time, std::string& out) {
  // Divided before anything is subtracted: the first day that a Time touches begins before it can.
  std::int64_t second = time.time_since_epoch().count() / kNanos;
  std::int64_t nanos = time.time_since_epoch().count() % kNanos;
  if (nanos < 0) nanos += kNanos, --second;
  const std::chrono::sys_seconds moment{seconds{second}};
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date{day};
  const auto s = (moment - day).count();
  std::array<char, 40> text;
  char* end = fmt::format_to(text.data(), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                             static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                             static_cast<unsigned>(date.day()), s / 3600, s / 60 % 60, s % 60);
  if (nanos != 0) {
    int width = 9;
    while (nanos % 10 == 0) nanos /= 10, --width;
    end = fmt::format_to(end, ".{:0{}}", nanos, width);
  }
  *end++ = 'Z';
  out.append(text.data(), end);
}

std::string format_time(Time time) {
  std::string out;
  append_time(time, out);
  return out;
}

Result<Time> parse_time(std::string_view text) {
  Rest rest{text};
  constexpr std::string_view kForm = "it should look like 2018-07-13T12:29:24Z";
  const auto day = take_day(rest);
  if (!day || !rest.take_any("Tt ")) return bad_time(text, kForm);
  const auto clock = take_clock(rest);
  if (!clock) return bad_time(text, kForm);
  const auto offset = take_offset(rest);
  if (!offset) return bad_time(text, "it should end in Z or in an offset such as +02:00");
  if (!rest.text.empty()) return bad_time(text, kForm);
  const seconds whole = day->time_since_epoch() + clock->whole - *offset;
  const auto time = to_time(whole, clock->fraction);
  if (!time) return bad_time(text, "only 1677-09-21 to 2262-04-11 can be kept to the nanosecond");
  return *time;
}

Result<nanoseconds> parse_duration(std::string_view text) {
  const auto bad = [&] {
    return std::unexpected(Error{
        .code = ErrorCode::kInvalidArgument,
        .message = fmt::format("\"{}\" is not a duration: it should look like 250ms, 30s, 5m, "
                               "1h, 7d or 2w",
                               text.substr(0, 60))});
  };
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const bool digit = !text.empty() && text[0] >= '0' && text[0] <= '9';  // no sign, nan or inf
  if (error != std::errc{} || !digit) return bad();
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  double scale = 0;
  if (unit == "ms") scale = 1e6;
  if (unit == "s" || unit.empty()) scale = 1e9;
  if (unit == "m" || unit == "min") scale = 60e9;
  if (unit == "h") scale = 3600e9;
  if (unit == "d") scale = 86400e9;
  if (unit == "w") scale = 7 * 86400e9;
  if (scale == 0 || number * scale > 9e18) return bad();
  return nanoseconds{static_cast<std::int64_t>(number * scale)};
}

std::string format_duration(nanoseconds duration) {
  const auto ns = duration.count();
  if (ns < 1'000'000) return fmt::format("{:.1f}us", static_cast<double>(ns) / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.1f}ms", static_cast<double>(ns) / 1e6);
  const auto s = ns / 1'000'000'000;
  if (s < 60) return fmt::format("{:.1f}s", static_cast<double>(ns) / 1e9);
  if (s < 3600) return fmt::format("{}m {:02}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h {:02}m", s / 3600, s / 60 % 60);
  return fmt::format("{}d {:02}h", s / 86400, s / 3600 % 24);
}

Result<Time> parse_moment(std::string_view text, Time now) {
  Rest rest{text};
  if (const auto day = take_day(rest); day && rest.text.empty()) {
    if (const auto time = to_time(day->time_since_epoch(), {})) return *time;
  }
  if (text.find_first_of(":T") != text.npos) return parse_time(text);
  if (const auto duration = parse_duration(text)) return now - *duration;
  return bad_time(text,
                  "it should look like 2018-07-13T12:29:24Z or 2018-07-13, or be a duration before "
                  "now such as 1h");
}

}  // namespace esdb::tools
