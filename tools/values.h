// Values of options: numbers that are read as they are written, and none that is empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace esdb::tools {

// Decimal digits and nothing else, up to 2^64 - 1; no sign, and no 0x or octal 010.
std::optional<std::uint64_t> to_number(std::string_view text);

// An option whose value is such a number; anything else is a usage error that names the option.
CLI::Option& add_number(CLI::App& command, const std::string& flag,
                        std::optional<std::uint64_t>& out, const std::string& about,
                        const std::string& unit = "N");

// Makes an empty value of any option or argument of any command a usage error: the empty variable
// of a script must not select everything. Only --data may be empty, as an event's data may.
void refuse_empty_values(CLI::App& app);

}  // namespace esdb::tools
