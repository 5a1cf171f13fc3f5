#include "server/settings.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>
#include <utility>

#include "esdb/default_socket.h"
#include "protocol/text.h"

namespace esdb::server {
namespace {

constexpr auto kBytes = Number::Unit::kBytes;
constexpr auto kCount = Number::Unit::kCount;
constexpr auto kMilliseconds = Number::Unit::kMilliseconds;
constexpr std::uint64_t kConnectionsMost = 65'536;
constexpr auto kZeroOrPowerOfTwo = Number::Shape::kZeroOrPowerOfTwo;
// What a frame may begin on; the device's own alignment is asked when the store is opened.
constexpr std::uint64_t kWriteUnitMin = 512, kWriteUnitMax = 64 << 10;
constexpr std::uint64_t kMemoryMost = std::uint64_t{1} << 40;

constexpr Number kNumbers[] = {
    {"memory", &Settings::memory, kBytes, kMemoryMin, kMemoryMost},
    {"segment_bytes", &Settings::segment_bytes, kBytes, kSegmentBytesMin, kSegmentBytesMax,
     kZeroOrPowerOfTwo},
    {"write_unit", &Settings::write_unit, kBytes, kWriteUnitMin, kWriteUnitMax, kZeroOrPowerOfTwo},
    {"event_bytes_max", &Settings::event_bytes_max, kBytes, 1, kAppendBytesCap},
    {"append_bytes_max", &Settings::append_bytes_max, kBytes, 1, kAppendBytesCap},
    {"connections_max", &Settings::connections_max, kCount, 1, kConnectionsMost},
    {"connections_per_peer_max", &Settings::connections_per_peer_max, kCount, 1, kConnectionsMost},
    {"connections_unauthenticated_max", &Settings::connections_unauthenticated_max, kCount, 1,
     kConnectionsMost},
    {"hello_time", &Settings::hello_time, kMilliseconds, 100, 60'000},
};

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)});
}

struct Factor {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array kSizes = {
    Factor{"", 1},          Factor{"B", 1},          Factor{"k", 1 << 10},     Factor{"K", 1 << 10},
    Factor{"KiB", 1 << 10}, Factor{"M", 1 << 20},    Factor{"MiB", 1 << 20},   Factor{"G", 1 << 30},
    Factor{"GiB", 1 << 30}, Factor{"T", 1ULL << 40}, Factor{"TiB", 1ULL << 40}};
constexpr std::array kTimes = {Factor{"ms", 1}, Factor{"s", 1000}, Factor{"min", 60'000}};

std::optional<std::uint64_t> parse(std::string_view text, std::span<const Factor> factors) {
  std::uint64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit(rest, end);
  for (const auto& [name, factor] : factors)
    if (name == unit && number <= std::numeric_limits<std::uint64_t>::max() / factor)
      return number * factor;
  return std::nullopt;
}

// What was said, by the command line or else by the file, and where.
class Sayings {
 public:
  Sayings(const Said& command_line, const Said& file) : strong_(command_line), weak_(file) {}

  const Said::Amount* number(std::string_view key) const {
    for (const auto* said : {&strong_, &weak_})
      if (const auto at = said->numbers.find(key); at != said->numbers.end()) return &at->second;
    return nullptr;
  }
  const Said::Text* data() const {
    return strong_.data ? &*strong_.data : weak_.data ? &*weak_.data : nullptr;
  }
  const std::vector<Said::Text>& listen() const {
    return strong_.listen.empty() ? weak_.listen : strong_.listen;
  }
  LogLevel log_level() const {
    return strong_.log_level.value_or(weak_.log_level.value_or(LogLevel::kInfo));
  }

  // "esdb.toml:3: memory: 1MiB is not accepted: " for the beginning of an error.
  std::string refuse(std::string_view key, const std::string& value) const {
    const auto* said = number(key);
    return (said && !said->where.empty() ? said->where : std::string(key)) + ": " + value +
           " is not accepted: ";
  }

 private:
  const Said& strong_;
  const Said& weak_;
};

Result<void> check_range(const Number& number, std::uint64_t value, const Sayings& sayings) {
  const bool powers = number.shape == kZeroOrPowerOfTwo;
  const bool holds = powers && value == 0 ? true
                                          : value >= number.least && value <= number.most &&
                                                (!powers || std::has_single_bit(value));
  if (holds) return {};
  return invalid(sayings.refuse(number.key, number.in_words(value)) + "give " + number.accepted());
}

const Number& number_of(std::uint64_t Settings::*value) {
  return *std::ranges::find(kNumbers, value, &Number::value);
}

// What one setting demands of another. Whichever was said is told; of two, the one that can give.
Result<void> check_relations(const Settings& settings, const Sayings& sayings) {
  const auto words = [](std::uint64_t bytes) {
    return number_of(&Settings::append_bytes_max).in_words(bytes);
  };
  const auto append = words(settings.append_bytes_max);
  if (settings.event_bytes_max > settings.append_bytes_max) {
    if (sayings.number("event_bytes_max"))
      return invalid(sayings.refuse("event_bytes_max", words(settings.event_bytes_max)) +
                     "at most append_bytes_max, which is " + append);
    return invalid(sayings.refuse("append_bytes_max", append) +
                   "at least event_bytes_max, which is " + words(settings.event_bytes_max));
  }
  if (settings.segment_bytes != 0 && settings.append_bytes_max > settings.segment_bytes / 4) {
    if (sayings.number("append_bytes_max"))
      return invalid(sayings.refuse("append_bytes_max", append) +
                     "at most a quarter of segment_bytes, which is " +
                     words(settings.segment_bytes / 4));
    return invalid(sayings.refuse("segment_bytes", words(settings.segment_bytes)) +
                   "at least four times append_bytes_max, which is " + append);
  }
  return {};
}

Result<void> check_data(const Said::Text* data) {
  if (!data || data->value.empty())
    return invalid("data: the store's directory is missing: --data DIR, or data = \"DIR\"");
  const auto refuse = [&](const char* why) {
    return invalid((data->where.empty() ? "data" : data->where) + ": " + why);
  };
  const auto& name = data->value;
  if (name.find('\0') != name.npos) return refuse("a directory's name holds no NUL byte");
  if (name.starts_with("unix:") || name.starts_with("tcp:") || name.find("://") != name.npos)
    return refuse("that is the address of a server: give the directory of the store to serve");
  if (name.starts_with("memory:") && name != "memory:")
    return refuse("a store in memory that is served has no name: give memory:, or a directory");
  return {};
}

bool is_same(const Endpoint& left, const Endpoint& right) {
  return left.kind == right.kind && left.url() == right.url() &&
         (left.kind == Endpoint::Kind::kUnix || left.port != 0);
}

Result<std::vector<Endpoint>> endpoints(const Sayings& sayings, const Surroundings& surroundings) {
  auto said = sayings.listen();
  if (said.empty()) {
    auto path = default_socket(surroundings);
    if (!path) return std::unexpected(path.error());
    said.push_back({.value = "unix:" + *path, .where = "listen"});
  }
  std::vector<Endpoint> endpoints;
  for (const auto& [text, where] : said) {
    const auto at = where.empty() ? "listen: " : where + ": ";
    auto endpoint = parse_endpoint(text);
    if (!endpoint) return invalid(at + endpoint.error().message);
    if (auto sound = check_reach(*endpoint); !sound) return invalid(at + sound.error().message);
    for (const auto& other : endpoints)
      if (is_same(*endpoint, other)) return invalid(at + text + " is said twice: leave one out");
    endpoints.push_back(*std::move(endpoint));
  }
  return endpoints;
}

}  // namespace

std::string Number::in_words(std::uint64_t amount) const {
  std::span<const Factor> factors;
  if (unit == Unit::kBytes) factors = kSizes;
  if (unit == Unit::kMilliseconds) factors = kTimes;
  // The last of several names of a factor is the one that is written.
  const Factor* best = nullptr;
  for (const auto& factor : factors)
    if (amount % factor.factor == 0 && amount != 0) best = &factor;
  if (unit == Unit::kMilliseconds && !best) best = &kTimes.front();
  if (!best || best->name == "B") return std::to_string(amount);
  return std::to_string(amount / best->factor).append(best->name);
}

std::string Number::accepted() const {
  const auto range = in_words(least) + " to " + in_words(most);
  return shape == kZeroOrPowerOfTwo ? "0 or a power of two from " + range : range;
}

std::span<const Number> numbers() { return kNumbers; }

std::vector<std::string_view> setting_keys() {
  std::vector<std::string_view> keys = {"data", "listen", "log_level"};
  for (const auto& number : kNumbers) keys.push_back(number.key);
  return keys;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  if (const auto size = parse(text, kSizes)) return *size;
  return invalid("\"" + protocol::shown(text.substr(0, 100)) +
                 "\" is no size: a number of bytes, with k, M, G or T behind it for KiB to TiB");
}

Result<std::chrono::milliseconds> parse_time(std::string_view text) {
  constexpr std::uint64_t kLongest = std::chrono::milliseconds(std::chrono::years(1)).count();
  if (const auto time = parse(text, kTimes); time && *time <= kLongest)
    return std::chrono::milliseconds(*time);
  return invalid("\"" + protocol::shown(text.substr(0, 100)) +
                 "\" is no time: a number with ms, s or min behind it");
}

Result<LogLevel> parse_log_level(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return invalid("\"" + protocol::shown(text.substr(0, 100)) +
                 "\" is no log level: debug, info, warning or error");
}

Result<std::string> default_socket(const Surroundings& surroundings) {
  if (!surroundings.runtime_directory.empty()) {
    // systemd gives several directories with colons between them; the first is the service's own.
    const auto& all = surroundings.runtime_directory;
    return socket_in(std::string_view(all).substr(0, all.find(':')));
  }
  if (!surroundings.xdg_runtime_dir.empty()) return socket_in(surroundings.xdg_runtime_dir);
  if (surroundings.is_root) return std::string(kServiceSocket);
  return invalid(
      "listen: XDG_RUNTIME_DIR is not set, so there is no default place for the socket: "
      "say --listen unix:PATH");
}

Result<Settings> settle(const Said& command_line, const Said& file,
                        const Surroundings& surroundings) {
  const Sayings sayings(command_line, file);
  Settings settings;
  if (auto sound = check_data(sayings.data()); !sound) return std::unexpected(sound.error());
  settings.data = sayings.data()->value;
  settings.log_level = sayings.log_level();
  for (const auto& number : kNumbers) {
    auto& value = settings.*number.value;
    if (const auto* said = sayings.number(number.key)) value = said->value;
    if (auto sound = check_range(number, value, sayings); !sound)
      return std::unexpected(sound.error());
  }
  if (auto sound = check_relations(settings, sayings); !sound)
    return std::unexpected(sound.error());
  auto listen = endpoints(sayings, surroundings);
  if (!listen) return std::unexpected(listen.error());
  settings.listen = *std::move(listen);
  return settings;
}

}  // namespace esdb::server
