// esctl completion: what a shell needs to complete commands and options.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tools/commands.h"

namespace esdb::tools {
namespace {

constexpr const char* kExamples =
    "  source <(esctl completion bash)\n"
    "  esctl completion zsh > ~/.zfunc/_esctl\n"
    "  esctl completion fish > ~/.config/fish/completions/esctl.fish\n";

struct Option {
  std::string flag{}, about{};
  bool takes_value = false;
};

// The options of a command, without their dashes.
std::vector<Option> options_of(const CLI::App& command) {
  std::vector<Option> options;
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->get_lnames())
      options.push_back({name, option->get_description(), option->get_items_expected_max() > 0});
  }
  return options;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// Text inside single quotes of a shell; what could end them is left out.
std::string quoted(std::string text) {
  std::erase_if(text, [](char c) { return c == '\'' || c == '[' || c == ']' || c == ':'; });
  return text;
}

std::string flags_of(const CLI::App& command) {
  std::string flags;
  for (const auto& option : options_of(command)) flags += " --" + option.flag;
  return flags;
}

std::string for_bash(const CLI::App& app) {
  std::string names, cases;
  for (const auto* command : commands_of(app)) {
    names += (names.empty() ? "" : " ") + command->get_name();
    cases +=
        fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), flags_of(*command).substr(1));
  }
  return fmt::format(
      "_esctl() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} command= words= i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \" {0} \" in *\" ${{COMP_WORDS[i]}} \"*) command=${{COMP_WORDS[i]}}; break ;; "
      "esac\n"
      "  done\n"
      "  case \"$command\" in\n"
      "    '') words=\"{0}\" ;;\n"
      "    completion) words=\"bash zsh fish\" ;;\n"
      "{1}"
      "  esac\n"
      "  [[ $word == -* ]] && words+=\"{2}\"\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}}\n"
      "complete -o default -F _esctl esctl\n",
      names, cases, flags_of(app));
}

std::string zsh_options(const CLI::App& command) {
  std::string text;
  for (const auto& option : options_of(command))
    text += fmt::format(" \\\n      '*--{}[{}]{}'", option.flag, quoted(option.about),
                        option.takes_value ? ":value:_files" : "");
  return text;
}

std::string for_zsh(const CLI::App& app) {
  std::string names, cases;
  for (const auto* command : commands_of(app)) {
    names += fmt::format("    '{}:{}'\n", command->get_name(), quoted(command->get_description()));
    cases += fmt::format("    {}) _arguments{}{} \\\n      '*:argument:{}' ;;\n",
                         command->get_name(), zsh_options(*command), zsh_options(app),
                         command->get_name() == "completion" ? "(bash zsh fish)" : "_files");
  }
  return fmt::format(
      "#compdef esctl\n"
      "_esctl() {{\n"
      "  local -a commands\n"
      "  commands=(\n{0}  )\n"
      "  local line state\n"
      "  _arguments -C{1} \\\n      '1:command:->command' '*::argument:->argument'\n"
      "  case $state in\n"
      "    command) _describe command commands ;;\n"
      "    argument)\n"
      "  case $line[1] in\n{2}  esac ;;\n"
      "  esac\n"
      "}}\n"
      "compdef _esctl esctl\n",
      names, zsh_options(app), cases);
}

std::string for_fish(const CLI::App& app) {
  std::string text = "complete -c esctl -f\n";
  const auto add_options = [&](const CLI::App& command, const std::string& condition) {
    for (const auto& option : options_of(command))
      text += fmt::format("complete -c esctl {}-l {}{} -d '{}'\n", condition, option.flag,
                          option.takes_value ? " -r -F" : "", quoted(option.about));
  };
  add_options(app, "");
  for (const auto* command : commands_of(app)) {
    text += fmt::format("complete -c esctl -n __fish_use_subcommand -a {} -d '{}'\n",
                        command->get_name(), quoted(command->get_description()));
    add_options(*command, fmt::format("-n '__fish_seen_subcommand_from {}' ", command->get_name()));
  }
  return text +
         "complete -c esctl -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n"
         "complete -c esctl -n '__fish_seen_subcommand_from import' -F\n";
}

}  // namespace

void add_completion(Commands& commands) {
  const auto shell = std::make_shared<std::string>();
  auto& app = commands.app();
  commands
      .add({.name = "completion",
            .about = "Print what makes a shell complete esctl's commands and options",
            .examples = kExamples},
           [shell, &app](const Invocation& invocation) -> Result<ExitCode> {
             invocation.out() << (*shell == "bash"  ? for_bash(app)
                                  : *shell == "zsh" ? for_zsh(app)
                                                    : for_fish(app))
                              << std::flush;
             return ExitCode::kOk;
           })
      .add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check([](const std::string& name) {
        const bool known = name == "bash" || name == "zsh" || name == "fish";
        return known ? std::string{} : fmt::format("\"{}\" is none of bash, zsh, fish", name);
      });
}

}  // namespace esdb::tools
