#include "tools/values.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <system_error>

namespace esdb::tools {
namespace {

void refuse_empty_values_of(CLI::App& command) {
  for (auto* option : command.get_options()) {
    if (option->get_items_expected_max() == 0 || option->check_lname("data")) continue;
    const bool required = option->get_required();
    option->check([required](const std::string& value) {
      if (!value.empty()) return std::string{};
      return fmt::format("it is empty; give it a value{}", required ? "" : ", or leave it out");
    });
  }
}

}  // namespace

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

CLI::Option& add_number(CLI::App& command, const std::string& flag,
                        std::optional<std::uint64_t>& out, const std::string& about,
                        const std::string& unit) {
  const auto read = [&out](const CLI::results_t& values) {
    out = to_number(values.back());
    return out.has_value();
  };
  return *command.add_option(flag, read, about)
              ->type_name(unit)
              ->check([](const std::string& value) {
                if (value.empty() || to_number(value)) return std::string{};
                return fmt::format("\"{}\" is not a whole number from 0 to 2^64 - 1", value);
              });
}

void refuse_empty_values(CLI::App& app) {
  refuse_empty_values_of(app);
  for (auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    refuse_empty_values_of(*command);
}

}  // namespace esdb::tools
