#include "tests/tidy/source.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <utility>

namespace esdb::tidy {
namespace {

// Where the literal or comment that begins at `at` ends; `at` itself when none begins there.
std::size_t end_of_blank(std::string_view text, std::size_t at) {
  auto ends = [&](std::string_view close, std::size_t from) {
    const auto found = text.find(close, from);
    return found == text.npos ? text.size() : found + close.size();
  };
  if (text.substr(at, 2) == "//") return std::min(text.find('\n', at), text.size());
  if (text.substr(at, 2) == "/*") return ends("*/", at + 2);
  const bool in_word = at > 0 && is_word_character(text[at - 1]);
  if (text.substr(at, 2) == "R\"" && !in_word) {
    const auto open = text.find('(', at);
    if (open == text.npos) return text.size();
    return ends(")" + std::string(text.substr(at + 2, open - at - 2)) + "\"", open);
  }
  // A quote inside a word separates digits: 1'000.
  if (text[at] != '"' && (text[at] != '\'' || in_word)) return at;
  std::size_t end = at + 1;
  while (end < text.size() && text[end] != text[at] && text[end] != '\n')
    end += text[end] == '\\' ? 2 : 1;
  return std::min(end + 1, text.size());
}

bool is_text(const std::filesystem::path& path) {
  const auto extension = path.extension();
  return extension != ".zst" && extension != ".seg" && extension != ".mdb" && extension != ".bin";
}

}  // namespace

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::string blank_comments_and_literals(std::string_view text) {
  std::string code(text);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = end_of_blank(text, at);
    for (auto i = at; i < end; ++i)
      if (text[i] != '\n') code[i] = ' ';
    at = std::max(end, at + 1);
  }
  return code;
}

File make_file(std::string path, std::string text) {
  std::string code = is_cpp(path) ? blank_comments_and_literals(text) : std::string();
  return {std::move(path), std::move(text), std::move(code)};
}

std::vector<File> load_tree(const std::filesystem::path& root) {
  std::vector<File> files;
  auto entries = std::filesystem::recursive_directory_iterator(root);
  for (auto entry = begin(entries); entry != end(entries); ++entry) {
    const auto relative = entry->path().lexically_relative(root);
    const auto name = relative.filename().string();
    if (entry->is_directory()) {
      const bool at_root = !relative.has_parent_path();
      if (at_root && (name == ".git" || name == "data" || name.starts_with("build")))
        entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && is_text(relative)) {
      std::ifstream in(entry->path(), std::ios::binary);
      std::string text(std::istreambuf_iterator<char>(in), {});
      files.push_back(make_file(relative.generic_string(), std::move(text)));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const File& a, const File& b) { return a.path < b.path; });
  return files;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return lines;
}

std::size_t line_at(std::string_view text, std::size_t offset) {
  const auto before = text.substr(0, offset);
  return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
}

std::string_view folder_of(std::string_view path) {
  if (path.starts_with("include/esdb/")) return "include/esdb";
  const auto slash = path.find('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

std::string_view file_name_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

std::string_view stem_of(std::string_view path) {
  const auto name = file_name_of(path);
  return name.substr(0, name.find('.'));
}

bool is_cpp(std::string_view path) { return path.ends_with(".h") || path.ends_with(".cc"); }

std::size_t find_word(std::string_view code, std::string_view word, std::size_t from) {
  for (auto at = code.find(word, from); at != code.npos; at = code.find(word, at + 1)) {
    const auto after = at + word.size();
    const bool begins = at == 0 || !is_word_character(code[at - 1]);
    const bool ends = after == code.size() || !is_word_character(code[after]) ||
                      !is_word_character(word.back()) || word.back() == '_';
    if (begins && ends) return at;
  }
  return code.npos;
}

}  // namespace esdb::tidy
