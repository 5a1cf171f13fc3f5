// The rules about files that belong together: a source and its test, a source and its CMakeLists,
// a file and whatever mentions it.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/rules.h"

namespace esdb::tidy {
namespace {

bool exists(const std::vector<File>& tree, std::string_view path) {
  return std::any_of(tree.begin(), tree.end(), [&](const File& f) { return f.path == path; });
}

// A path, or a part of one, that stands in the text of a file.
bool mentions(const File& file, std::string_view name) {
  for (auto at = file.text.find(name); at != file.text.npos; at = file.text.find(name, at + 1)) {
    const auto end = at + name.size();
    const bool begins = at == 0 || !is_word_character(file.text[at - 1]);
    if (begins && (end == file.text.size() || !is_word_character(file.text[end]))) return true;
  }
  return false;
}

// The path of a source as the CMakeLists in `directory` would write it; empty when it lies
// elsewhere.
std::string_view below(std::string_view path, std::string_view directory) {
  if (directory.empty()) return path;
  if (!path.starts_with(directory) || path.size() <= directory.size()) return {};
  return path[directory.size()] == '/' ? path.substr(directory.size() + 1) : std::string_view();
}

std::string_view directory_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

// Files that a tool or a reader finds by their own name.
bool stands_for_itself(std::string_view path) {
  const auto name = file_name_of(path);
  return name == "README.md" || name == "CMakeLists.txt" || name == "CMakePresets.json" ||
         name == "LICENSE" || name.starts_with(".") || path == ".ci/run";
}

// By what a reference to the file is recognised.
std::string_view reference_of(const File& file) {
  std::string_view path = file.path;
  if (path.starts_with("include/")) return path.substr(8);
  if (path.ends_with(".h")) return path;
  if (path.contains("/golden/")) return directory_of(path).substr(6);  // read as a directory
  return file_name_of(path);
}

}  // namespace

void check_storage_tests(const std::vector<File>& tree, Findings& findings) {
  for (const auto& file : tree) {
    if (folder_of(file.path) != "storage" || !file.path.ends_with(".cc")) continue;
    // log_read.cc is a part of what log_test.cc tests.
    bool tested = false;
    std::string name(stem_of(file.path));
    for (auto end = name.size(); end != name.npos && !tested; end = name.rfind('_', end - 1))
      tested = exists(tree, "tests/storage/" + name.substr(0, end) + "_test.cc");
    if (!tested)
      findings.push_back({file.path, 1, "untested", "write tests/storage/" + name + "_test.cc"});
  }
}

void check_listed_sources(const std::vector<File>& tree, Findings& findings) {
  for (const auto& file : tree) {
    if (!file.path.ends_with(".cc")) continue;
    const bool listed = std::any_of(tree.begin(), tree.end(), [&](const File& list) {
      if (file_name_of(list.path) != "CMakeLists.txt") return false;
      const auto name = below(file.path, directory_of(list.path));
      return !name.empty() && mentions(list, name);
    });
    if (!listed)
      findings.push_back(
          {file.path, 1, "unlisted", "name it in the CMakeLists.txt of its folder, or delete it"});
  }
}

void check_references(const std::vector<File>& tree, Findings& findings) {
  for (const auto& file : tree) {
    if (file.path.ends_with(".cc") || stands_for_itself(file.path)) continue;
    const auto name = reference_of(file);
    const bool found = std::any_of(tree.begin(), tree.end(), [&](const File& other) {
      return other.path != file.path && mentions(other, name);
    });
    if (!found)
      findings.push_back({file.path, 1, "unreferenced",
                          "use it (nothing mentions \"" + std::string(name) + "\"), or delete it"});
  }
}

}  // namespace esdb::tidy
