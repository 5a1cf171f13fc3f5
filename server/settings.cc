#include "server/settings.h"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace esdb::server {
namespace {

constexpr std::size_t kMemoryMost = std::size_t{1} << 40;

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)});
}

struct Unit {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array kUnits = {Unit{"", 1},          Unit{"B", 1},         Unit{"k", 1 << 10},
                               Unit{"K", 1 << 10},   Unit{"KiB", 1 << 10}, Unit{"M", 1 << 20},
                               Unit{"MiB", 1 << 20}, Unit{"G", 1 << 30},   Unit{"GiB", 1 << 30}};

bool is_power_of_two(std::size_t number) { return number != 0 && (number & (number - 1)) == 0; }

Result<void> check(const Settings& settings) {
  if (settings.data.empty())
    return invalid("data: the store's directory is missing: --data DIR, or data = \"DIR\"");
  if (settings.memory < kMemoryMin)
    return invalid("memory: at least " + std::to_string(kMemoryMin) + " bytes (48MiB)");
  if (settings.memory > kMemoryMost) return invalid("memory: at most 1024GiB");
  if (settings.segment_bytes != 0 &&
      (!is_power_of_two(settings.segment_bytes) || settings.segment_bytes < kSegmentBytesMin ||
       settings.segment_bytes > kSegmentBytesMax))
    return invalid("segment_bytes: a power of two from 1MiB to 1GiB, or 0 for the default");
  if (settings.append_bytes_max == 0 || settings.append_bytes_max > kAppendBytesCap)
    return invalid("append_bytes_max: from 1 to " + std::to_string(kAppendBytesCap));
  if (settings.event_bytes_max == 0 || settings.event_bytes_max > settings.append_bytes_max)
    return invalid("event_bytes_max: from 1 to append_bytes_max, which is " +
                   std::to_string(settings.append_bytes_max));
  return {};
}

template <class T>
void prefer(T& setting, const std::optional<T>& strong, const std::optional<T>& weak) {
  if (strong)
    setting = *strong;
  else if (weak)
    setting = *weak;
}

}  // namespace

Result<std::size_t> parse_size(std::string_view text) {
  std::size_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit_name(rest, end);
  if (error == std::errc{})
    for (const auto& unit : kUnits)
      if (unit.name == unit_name && number <= std::numeric_limits<std::size_t>::max() / unit.bytes)
        return number * unit.bytes;
  return invalid("\"" + std::string(text.substr(0, 100)) +
                 "\" is no size: a number of bytes, with k, M or G behind it for KiB, MiB, GiB");
}

Result<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return invalid("\"" + std::string(text.substr(0, 100)) +
                 "\" is no log level: debug, info, warning or error");
}

Result<std::string> default_socket(const Surroundings& surroundings) {
  if (!surroundings.runtime_directory.empty()) {
    // systemd gives several directories with colons between them; the first is the service's own.
    const auto& all = surroundings.runtime_directory;
    return all.substr(0, all.find(':')) + "/esdb.sock";
  }
  if (!surroundings.xdg_runtime_dir.empty()) return surroundings.xdg_runtime_dir + "/esdb.sock";
  if (surroundings.is_root) return std::string("/run/esdb/esdb.sock");
  return invalid(
      "listen: XDG_RUNTIME_DIR is not set, so there is no default place for the socket: "
      "say --listen unix:PATH");
}

Result<Settings> settle(const Said& command_line, const Said& file,
                        const Surroundings& surroundings) {
  Settings settings;
  prefer(settings.data, command_line.data, file.data);
  prefer(settings.memory, command_line.memory, file.memory);
  prefer(settings.segment_bytes, command_line.segment_bytes, file.segment_bytes);
  prefer(settings.write_unit, command_line.write_unit, file.write_unit);
  prefer(settings.event_bytes_max, command_line.event_bytes_max, file.event_bytes_max);
  prefer(settings.append_bytes_max, command_line.append_bytes_max, file.append_bytes_max);
  prefer(settings.log_level, command_line.log_level, file.log_level);
  if (auto sound = check(settings); !sound) return std::unexpected(sound.error());
  auto listen = command_line.listen.empty() ? file.listen : command_line.listen;
  if (listen.empty()) {
    auto path = default_socket(surroundings);
    if (!path) return std::unexpected(path.error());
    listen.push_back("unix:" + *path);
  }
  for (const auto& text : listen) {
    auto endpoint = parse_endpoint(text);
    if (!endpoint) return std::unexpected(endpoint.error());
    if (auto sound = check_reach(*endpoint); !sound) return std::unexpected(sound.error());
    settings.listen.push_back(*std::move(endpoint));
  }
  return settings;
}

}  // namespace esdb::server
