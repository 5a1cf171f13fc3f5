// esctl: the command line, from its words to an exit code.
#pragma once

#include <span>
#include <string>

#include "tools/command.h"

namespace esdb::tools {

// `words`: the command line without the program's name.
ExitCode run(std::span<const std::string> words, const Surroundings& around);

}  // namespace esdb::tools
