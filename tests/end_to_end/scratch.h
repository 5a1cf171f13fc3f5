// A directory of a test's own, gone with it. Its path is short enough for a socket's.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace esdb::end_to_end {

class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string path(std::string_view name) const { return (directory_ / name).string(); }
  std::string write(std::string_view name, std::string_view text) const;  // the file's path

 private:
  std::filesystem::path directory_;
};

std::string read_file(const std::string& path);

}  // namespace esdb::end_to_end
