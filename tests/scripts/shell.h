// A scratch directory, and shell commands run in it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/fixtures/scratch_directory.h"

namespace esdb::scripts {

struct Outcome {
  int status{};          // what the command exited with
  std::string output{};  // standard output and error
};

class Scratch {
 public:
  Outcome run(const std::string& command) const;
  void write(const std::string& path, std::string_view text) const;  // makes its directories
  void write_program(const std::string& path, std::string_view text) const;

 private:
  const fixtures::ScratchDirectory scratch_;
  const std::filesystem::path directory_ = scratch_.path();
};

}  // namespace esdb::scripts
