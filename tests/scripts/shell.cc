#include "tests/scripts/shell.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace esdb::scripts {

Outcome Scratch::run(const std::string& command) const {
  const auto whole = "cd " + directory_.string() + " && { " + command + "; } </dev/null 2>&1";
  std::FILE* pipe = ::popen(whole.c_str(), "re");
  if (!pipe) return {.status = -1, .output = "popen failed"};
  Outcome outcome;
  std::array<char, 4096> block{};
  while (const auto size = std::fread(block.data(), 1, block.size(), pipe))
    outcome.output.append(block.data(), size);
  const int ended = ::pclose(pipe);
  outcome.status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
  return outcome;
}

void Scratch::write(const std::string& path, std::string_view text) const {
  std::filesystem::create_directories((directory_ / path).parent_path());
  std::ofstream(directory_ / path) << text;
}

void Scratch::write_program(const std::string& path, std::string_view text) const {
  write(path, text);
  std::filesystem::permissions(directory_ / path, std::filesystem::perms::owner_all);
}

}  // namespace esdb::scripts
