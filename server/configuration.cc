#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <toml.hpp>
#include <utility>
#include <vector>

#include "protocol/text.h"
#include "server/settings.h"

namespace esdb::server {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)});
}

// What is said of one key, and where: "esdb.toml:3: memory".
using Taker = std::function<Result<void>(const toml::value&, const std::string& where)>;

Taker take_number(Said& said, const Number& number) {
  return [&said, &number](const toml::value& value, const std::string& where) -> Result<void> {
    auto& into = said.numbers[std::string(number.key)];
    into.where = where;
    if (value.is_integer() && number.unit != Number::Unit::kMilliseconds) {
      if (value.as_integer() < 0) return invalid("it is not negative");
      // What overflows is read as the largest number there is.
      if (value.as_integer() == std::numeric_limits<toml::integer>::max())
        return invalid("that number is too large: " + number.accepted());
      into.value = static_cast<std::uint64_t>(value.as_integer());
      return {};
    }
    if (number.unit == Number::Unit::kCount) return invalid("a number is needed, without quotes");
    if (number.unit == Number::Unit::kMilliseconds) {
      if (!value.is_string()) return invalid("a time is a text as \"5s\" or \"250ms\"");
      auto time = parse_time(value.as_string().str);
      if (!time) return std::unexpected(time.error());
      into.value = static_cast<std::uint64_t>(time->count());
      return {};
    }
    if (!value.is_string()) return invalid("a size is a number of bytes or a text as \"512MiB\"");
    auto size = parse_size(value.as_string().str);
    if (!size) return std::unexpected(size.error());
    into.value = *size;
    return {};
  };
}

Taker take_listen(Said& said) {
  return [&said](const toml::value& value, const std::string& where) -> Result<void> {
    const auto take_one = [&](const toml::value& one) -> Result<void> {
      if (!one.is_string()) return invalid("an endpoint is a text: \"unix:PATH\"");
      auto endpoint = parse_endpoint(one.as_string().str);
      if (!endpoint) return std::unexpected(endpoint.error());
      said.listen.push_back({.value = one.as_string().str, .where = where});
      return {};
    };
    if (!value.is_array()) return take_one(value);
    for (const auto& one : value.as_array())
      if (auto taken = take_one(one); !taken) return taken;
    return {};
  };
}

std::map<std::string, Taker, std::less<>> takers(Said& said) {
  std::map<std::string, Taker, std::less<>> takers = {
      {"data",
       [&said](const toml::value& value, const std::string& where) -> Result<void> {
         if (!value.is_string() || value.as_string().str.empty())
           return invalid("a directory is a text: \"/var/lib/esdb\"");
         said.data = {.value = value.as_string().str, .where = where};
         return {};
       }},
      {"listen", take_listen(said)},
      {"log_level",
       [&said](const toml::value& value, const std::string&) -> Result<void> {
         if (!value.is_string()) return invalid("a log level is a text: \"info\"");
         auto level = parse_log_level(value.as_string().str);
         if (!level) return std::unexpected(level.error());
         said.log_level = *level;
         return {};
       }},
  };
  for (const auto& number : numbers())
    takers.emplace(std::string(number.key), take_number(said, number));
  return takers;
}

// How many letters have to be put in, left out or replaced to make one word of the other.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < right.size(); ++j) {
      const auto replaced = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::string no_such_setting(const std::string& key, const toml::value& value) {
  if (value.is_table())
    return "a section or a table, of which there is none: settings stand at the top level, "
           "as memory = \"512MiB\"";
  const auto keys = setting_keys();
  const auto shown = std::string_view(key).substr(0, 100);
  const auto nearest =
      std::ranges::min(keys, {}, [&](std::string_view known) { return distance(shown, known); });
  return "there is no such setting; the nearest is " + std::string(nearest) +
         " (esdb-server --help says where all of them are described)";
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.eof() && !file)
    return invalid(path + ": it cannot be read: say --config FILE with a file that can");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kFileBytesMax)
    return invalid(path + ": larger than " + std::to_string(kFileBytesMax) +
                   " bytes; that is no configuration of esdb-server");
  // toml11 believes both without looking.
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const auto line = std::string_view(text).substr(begin, end - begin);
    ++number;
    if (line.find('\0') != line.npos)
      return invalid(path + ":" + std::to_string(number) + ": it holds a NUL byte");
    if (!protocol::is_utf8(line))
      return invalid(path + ":" + std::to_string(number) + ": it is not UTF-8: save it as UTF-8");
    begin = end + 1;
  }
  return text;
}

// The number of the last line that toml11 shows (" 3 | text"): of a key that is set twice, the
// second. Its own statement of the place is the first.
std::optional<std::string> last_line_shown(const std::string& what) {
  const auto bar = what.rfind(" | ");
  auto begin = bar;
  while (begin != std::string::npos && begin > 0 && std::isdigit(what[begin - 1])) --begin;
  if (begin == std::string::npos || begin == bar) return std::nullopt;
  return what.substr(begin, bar - begin);
}

// toml11 tells of a fault in the words of its own functions, over several lines: this says where it
// is, and what to write instead.
std::string in_one_line(const std::string& path, const toml::exception& error) {
  const std::string what = error.what();
  const auto first = what.substr(0, what.find('\n'));
  const auto names = [&](const char* part) { return first.find(part) != first.npos; };
  auto line = std::to_string(error.location().line());
  if (names("already") || names("insert_")) {
    line = last_line_shown(what).value_or(line);
    const auto begin = first.find("(\""), end = first.find("\")");
    const bool named = begin != first.npos && end != first.npos && begin < end;
    return path + ":" + line + ": " + (named ? first.substr(begin + 1, end - begin) : "a key") +
           " is set a second time: leave one of them out";
  }
  const auto at = path + ":" + line + ": this is no TOML: ";
  if (names("_string"))
    return at + "a text begins and ends with quotes, on one line; a backslash in it is \\\\";
  if (names("parse_array"))
    return at + "a list is [\"A\", \"B\"]: texts of one kind, a comma between two, a ] at the end";
  return at +
         "a setting is KEY = VALUE on a line of its own; a text, as a size with a unit, is in "
         "quotes: memory = \"512MiB\"";
}

Result<toml::value> parse(const std::string& path, const std::string& text) {
  try {
    std::istringstream stream(text);
    return toml::parse(stream, path);
  } catch (const toml::exception& error) {
    return invalid(in_one_line(path, error));
  } catch (const std::exception&) {
    return invalid(path + ": this is no TOML: a setting is KEY = VALUE on a line of its own");
  }
}

}  // namespace

Result<Said> read_configuration(const std::string& path) {
  auto text = read_text(path);
  if (!text) return std::unexpected(text.error());
  auto root = parse(path, *text);
  if (!root) return std::unexpected(root.error());
  Said said;
  const auto known = takers(said);
  for (const auto& [key, value] : root->as_table()) {
    const auto where =
        path + ":" + std::to_string(value.location().line()) + ": " + protocol::shown(key);
    const auto taker = known.find(key);
    if (taker == known.end()) return invalid(where + ": " + no_such_setting(key, value));
    if (auto taken = taker->second(value, where); !taken)
      return invalid(where + ": " + taken.error().message);
  }
  return said;
}

}  // namespace esdb::server
