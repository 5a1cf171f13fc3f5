// Settings: what the operator says, on the command line and in a configuration file.
//
// Threads: functions and a value; one thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/error.h"
#include "esdb/limits.h"
#include "server/endpoint.h"
#include "server/options.h"

namespace esdb::server {

struct Settings {
  std::string data{};
  std::vector<Endpoint> listen{};
  std::size_t memory = kMemoryDefault;
  std::size_t segment_bytes = 0;
  std::size_t write_unit = 0;
  std::size_t event_bytes_max = kEventBytesDefault;
  std::size_t append_bytes_max = kAppendBytesDefault;
  LogLevel log_level = LogLevel::kInfo;
};

// What a configuration file or the command line leaves unsaid is empty. Sizes are bytes.
struct Said {
  std::optional<std::string> data{};
  std::vector<std::string> listen{};
  std::optional<std::size_t> memory{}, segment_bytes{}, write_unit{}, event_bytes_max{},
      append_bytes_max{};
  std::optional<LogLevel> log_level{};
};

// What the environment says about where a socket by default lies.
struct Surroundings {
  std::string xdg_runtime_dir{};    // $XDG_RUNTIME_DIR
  std::string runtime_directory{};  // $RUNTIME_DIRECTORY: set by systemd for a system service
  bool is_root = false;
};
Result<std::string> default_socket(const Surroundings& surroundings);

// TOML. kInvalidArgument with the file's name and the line: an unknown key, a value of another type
// or out of range, a NUL byte, a file of more than 64 KiB.
Result<Said> read_configuration(const std::string& path);

// "512MiB", "64k", "1048576".
Result<std::size_t> parse_size(std::string_view text);
Result<LogLevel> parse_log_level(std::string_view text);

// The command line is stronger than the file. Checked as a whole.
Result<Settings> settle(const Said& command_line, const Said& file,
                        const Surroundings& surroundings);

}  // namespace esdb::server
