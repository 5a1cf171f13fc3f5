// The command line: the words that a shell gives, and what is wrong with them in esctl's own words.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "esdb/error.h"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace esdb::tools {

// The words as they are to be read: the empty value of `--option=` becomes a word of its own, where
// the library would take the next word for it.
std::vector<std::string> readable(std::span<const std::string> words);

// Whether the words ask for --json: what a command line that cannot be read still says.
bool ask_for_json(std::span<const std::string> words);

// What is wrong with a command line that `app` could not read: a usage error.
Error in_our_words(const CLI::App& app, const CLI::ParseError& wrong);

// The error, with the field that the library begins its message with called as the user gave it:
// "start: position 11 ..." is "--after: position 11 ...". Where a value is malformed, the command
// line is at fault: a usage error.
Error in_options(Error error);

// What a usage error points to: the help of the command that was chosen, or of esctl.
std::string help_of(const CLI::App& app);

}  // namespace esdb::tools
