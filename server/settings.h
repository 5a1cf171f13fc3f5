// Settings: what the operator says, on the command line and in a configuration file.
//
// A setting that is a number is a row of numbers(): what may be said, what is checked and what
// docs/operations.md says of it are one table.
//
// Threads: functions and a value; one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
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
  LogLevel log_level = LogLevel::kInfo;

  // Bytes.
  std::uint64_t memory = kMemoryDefault;
  std::uint64_t segment_bytes = 0;
  std::uint64_t write_unit = 0;
  std::uint64_t event_bytes_max = kEventBytesDefault;
  std::uint64_t append_bytes_max = kAppendBytesDefault;

  std::uint64_t connections_max = Options{}.connections_max;
  std::uint64_t connections_per_peer_max = Options{}.connections_per_peer_max;
  std::uint64_t connections_unauthenticated_max = Options{}.connections_unauthenticated_max;
  std::uint64_t hello_time = 5000;  // milliseconds
};

// A setting that is a number, and what it may be.
struct Number {
  enum class Unit : std::uint8_t { kBytes, kMilliseconds, kCount };
  enum class Shape : std::uint8_t { kAny, kZeroOrPowerOfTwo };
  std::string_view key;
  std::uint64_t Settings::*value;
  Unit unit;
  std::uint64_t least, most;
  Shape shape = Shape::kAny;

  std::string in_words(std::uint64_t value) const;  // "512MiB", "5s", "64"
  std::string accepted() const;                     // "48MiB to 1024GiB"
};
std::span<const Number> numbers();
std::vector<std::string_view> setting_keys();  // of all settings, in order

// What was said of a setting, and where: "esdb.toml:3: memory", "--memory".
template <class T>
struct Stated {
  T value{};
  std::string where{};
};

// What a configuration file or the command line leaves unsaid is missing.
struct Said {
  using Text = Stated<std::string>;
  using Amount = Stated<std::uint64_t>;
  std::optional<Text> data{};
  std::vector<Text> listen{};
  std::map<std::string, Amount, std::less<>> numbers{};  // by key
  std::optional<LogLevel> log_level{};
};

// What the environment says about where a socket by default lies.
struct Surroundings {
  std::string xdg_runtime_dir{};    // $XDG_RUNTIME_DIR
  std::string runtime_directory{};  // $RUNTIME_DIRECTORY: set by systemd for a system service
  bool is_root = false;
};
Result<std::string> default_socket(const Surroundings& surroundings);

// TOML. kInvalidArgument with the file's name and the line: an unknown key, a value of another
// type, a NUL byte, a file of more than 64 KiB.
Result<Said> read_configuration(const std::string& path);

// "512MiB", "64k", "1048576".
Result<std::uint64_t> parse_size(std::string_view text);
// "250ms", "5s", "2min".
Result<std::chrono::milliseconds> parse_time(std::string_view text);
Result<LogLevel> parse_log_level(std::string_view text);

// The command line is stronger than the file. Checked as a whole: what opening the store and
// listening would refuse for the setting's own sake is refused here.
Result<Settings> settle(const Said& command_line, const Said& file,
                        const Surroundings& surroundings);

}  // namespace esdb::server
