// A file of the repository as the rules look at it, and the tree of all of them.
//
// Rules about layout look at `text`, rules about C++ at `code`: the same characters at the same
// places, with comments and the insides of literals blanked out, so that neither is taken for code.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace esdb::tidy {

struct File {
  std::string path{};  // from the root, with `/`
  std::string text{};
  std::string code{};  // of .h and .cc; empty for others
};

File make_file(std::string path, std::string text);

// Every text file below root, by path: without .git, build directories and compressed data.
std::vector<File> load_tree(const std::filesystem::path& root);

std::string blank_comments_and_literals(std::string_view text);
std::vector<std::string_view> lines_of(std::string_view text);
std::size_t line_at(std::string_view text, std::size_t offset);  // from 1

// "storage" of "storage/log.h"; "include/esdb" of what lies there.
std::string_view folder_of(std::string_view path);
std::string_view file_name_of(std::string_view path);
std::string_view stem_of(std::string_view path);  // "log" of "storage/log.h"
bool is_cpp(std::string_view path);
bool is_word_character(char c);
// Where `word` stands alone in code, from `from` on; npos when nowhere. One that ends with `_` is a
// prefix.
std::size_t find_word(std::string_view code, std::string_view word, std::size_t from = 0);

}  // namespace esdb::tidy
