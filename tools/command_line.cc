#include "tools/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <string_view>

#include "tools/command.h"

namespace esdb::tools {
namespace {

bool looks_like_an_option(std::string_view word) { return word.size() > 1 && word[0] == '-'; }

std::string without_command(const CLI::App& app) {
  const auto words = app.remaining(true);
  if (words.empty()) return "no command is given";
  return fmt::format("there is no {} \"{}\"",
                     looks_like_an_option(words.front()) ? "option" : "command", words.front());
}

std::string too_much(const CLI::App& app) {
  const auto words = app.remaining(true);
  const auto option = std::ranges::find_if(words, looks_like_an_option);
  if (option != words.end()) return fmt::format("there is no option \"{}\"", *option);
  if (words.size() == 1) return fmt::format("\"{}\" is one argument too many", words.front());
  return fmt::format("\"{}\" are too many arguments", fmt::join(words, "\", \""));
}

// "--limit: At Most 1 required but received 2", "--limit: 1 required N missing".
std::string other_number_of_values(std::string_view text) {
  const auto name = text.substr(0, text.find(':'));
  if (text.find("At Most") != text.npos)
    return fmt::format("{} is given more than once: give it once", name);
  return fmt::format("{} needs a value behind it", name);
}

// "--commit-size excludes --commit-by"
std::string exclusive(std::string text) {
  constexpr std::string_view kBetween = " excludes ";
  const auto at = text.find(kBetween);
  if (at != text.npos) text.replace(at, kBetween.size(), " cannot go together with ");
  return text;
}

// "Could not convert: --all = maybe": only flags, because every other value is a text first.
std::string no_value_of_a_flag(std::string_view text) {
  constexpr std::string_view kBefore = "Could not convert: ";
  if (!text.starts_with(kBefore)) return std::string(text);
  text.remove_prefix(kBefore.size());
  return fmt::format("{} takes no value", text.substr(0, text.find(" = ")));
}

std::string message_of(const CLI::App& app, const CLI::ParseError& wrong) {
  const std::string text = wrong.what();
  switch (static_cast<CLI::ExitCodes>(wrong.get_exit_code())) {
    case CLI::ExitCodes::RequiredError:
      return app.get_subcommands().empty() ? without_command(app) : text;
    case CLI::ExitCodes::ExtrasError:
      return too_much(app);
    case CLI::ExitCodes::ArgumentMismatch:
      return other_number_of_values(text);
    case CLI::ExitCodes::ExcludesError:
      return exclusive(text);
    case CLI::ExitCodes::ConversionError:
      return no_value_of_a_flag(text);
    default:
      return text;
  }
}

// What the library calls a field, and what the user does.
struct Renamed {
  std::string_view field, option;
};
constexpr std::array kRenamed = {
    Renamed{"start: position", "--after: position"},
    Renamed{"after: position", "--after: position"},
    Renamed{"start: version", "--after-version: version"},
    Renamed{"start: after_version() needs a query of one stream",
            "--after-version: it counts in one stream: give a STREAM"},
    Renamed{"query: stream:", "STREAM:"},
    Renamed{"query: category:", "--category:"},
    Renamed{"query: type:", "--type:"},
    Renamed{"query: tag:", "--tag:"},
    Renamed{"query:", "--query:"},
    Renamed{"stream:", "STREAM:"},
    Renamed{"type:", "--type:"},
    Renamed{"tag:", "--tag:"},
    Renamed{"tags:", "--tag:"},
    Renamed{"content type:", "--content-type:"},
    Renamed{"id:", "--id:"},
    Renamed{"event:", "the event:"},
    Renamed{"append: an event of", "the event has"},
    Renamed{"tracking source:", "--source:"},
    Renamed{"check: stream:", "--check:"},
    Renamed{"open: ", ""},
};

}  // namespace

std::vector<std::string> readable(std::span<const std::string> words) {
  std::vector<std::string> found;
  bool options = true;
  for (const auto& word : words) {
    options = options && word != "--";
    const bool empty = options && word.starts_with("--") && word.find('=') == word.size() - 1;
    found.push_back(empty ? word.substr(0, word.size() - 1) : word);
    if (empty) found.emplace_back();
  }
  return found;
}

bool ask_for_json(std::span<const std::string> words) {
  const auto end = std::ranges::find(words, "--");
  return std::find(words.begin(), end, "--json") != end;
}

Error in_our_words(const CLI::App& app, const CLI::ParseError& wrong) {
  return usage(message_of(app, wrong)).error();
}

Error in_options(Error error) {
  const auto at = std::ranges::find_if(kRenamed, [&error](const Renamed& renamed) {
    return error.message.starts_with(renamed.field);
  });
  if (at == kRenamed.end()) return error;
  error.message.replace(0, at->field.size(), at->option);
  if (error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kTooLarge)
    return usage(std::move(error.message)).error();
  return error;
}

std::string help_of(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? "esctl --help" : "esctl " + chosen.front()->get_name() + " --help";
}

}  // namespace esdb::tools
