#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <toml.hpp>
#include <utility>

#include "server/settings.h"

namespace esdb::server {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)});
}

using Taker = std::function<Result<void>(const toml::value&)>;

Taker take_size(std::optional<std::size_t>& into) {
  return [&into](const toml::value& value) -> Result<void> {
    if (value.is_integer()) {
      if (value.as_integer() < 0) return invalid("a size is not negative");
      // What overflows is read as the largest number there is.
      if (value.as_integer() == std::numeric_limits<toml::integer>::max())
        return invalid("that number is too large");
      into = static_cast<std::size_t>(value.as_integer());
      return {};
    }
    if (!value.is_string()) return invalid("a size is a number of bytes or a text as \"512MiB\"");
    auto size = parse_size(value.as_string().str);
    if (!size) return std::unexpected(size.error());
    into = *size;
    return {};
  };
}

Taker take_listen(std::vector<std::string>& into) {
  return [&into](const toml::value& value) -> Result<void> {
    const auto take_one = [&into](const toml::value& one) -> Result<void> {
      if (!one.is_string()) return invalid("an endpoint is a text: \"unix:PATH\"");
      auto endpoint = parse_endpoint(one.as_string().str);
      if (!endpoint) return std::unexpected(endpoint.error());
      into.push_back(one.as_string().str);
      return {};
    };
    if (!value.is_array()) return take_one(value);
    for (const auto& one : value.as_array())
      if (auto taken = take_one(one); !taken) return taken;
    return {};
  };
}

std::map<std::string, Taker, std::less<>> takers(Said& said) {
  return {
      {"data",
       [&said](const toml::value& value) -> Result<void> {
         if (!value.is_string() || value.as_string().str.empty())
           return invalid("a directory is a text");
         said.data = value.as_string().str;
         return {};
       }},
      {"listen", take_listen(said.listen)},
      {"memory", take_size(said.memory)},
      {"segment_bytes", take_size(said.segment_bytes)},
      {"write_unit", take_size(said.write_unit)},
      {"event_bytes_max", take_size(said.event_bytes_max)},
      {"append_bytes_max", take_size(said.append_bytes_max)},
      {"log_level",
       [&said](const toml::value& value) -> Result<void> {
         if (!value.is_string()) return invalid("a log level is a text");
         auto level = parse_log_level(value.as_string().str);
         if (!level) return std::unexpected(level.error());
         said.log_level = *level;
         return {};
       }},
  };
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
  if (const auto nul = text.find('\0'); nul != std::string::npos)
    return invalid(
        path + ":" +
        std::to_string(
            1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n')) +
        ": it holds a NUL byte");
  return text;
}

// toml11 tells where it found the fault in several lines; its first says what, and " 3 | text" says
// where.
std::string one_line(const std::string& what) {
  constexpr std::string_view kMark = "[error] ";
  auto first = what.substr(0, what.find('\n'));
  if (first.starts_with(kMark)) first.erase(0, kMark.size());
  const auto bar = what.find(" | ");
  auto begin = bar;
  while (begin != std::string::npos && begin > 0 && std::isdigit(what[begin - 1])) --begin;
  if (begin == std::string::npos || begin == bar) return first;
  return what.substr(begin, bar - begin) + ": " + first;
}

}  // namespace

Result<Said> read_configuration(const std::string& path) {
  auto text = read_text(path);
  if (!text) return std::unexpected(text.error());
  toml::value root;
  try {
    std::istringstream stream(*text);
    root = toml::parse(stream, path);
  } catch (const std::exception& error) {
    return invalid(path + ":" + one_line(error.what()));
  }
  Said said;
  const auto known = takers(said);
  for (const auto& [key, value] : root.as_table()) {
    const auto where = path + ":" + std::to_string(value.location().line()) + ": " + key + ": ";
    const auto taker = known.find(key);
    if (taker == known.end()) {
      std::string keys;
      for (const auto& [name, unused] : known) keys += (keys.empty() ? "" : ", ") + name;
      return invalid(where + "there is no such setting; there are " + keys);
    }
    if (auto taken = taker->second(value); !taken) return invalid(where + taken.error().message);
  }
  return said;
}

}  // namespace esdb::server
