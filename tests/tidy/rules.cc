#include "tests/tidy/rules.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "tests/tidy/functions.h"

namespace esdb::tidy {
namespace {

constexpr std::size_t kColumnsMax = 100;
constexpr std::size_t kFunctionLinesMax = 70;
constexpr std::size_t kFileLinesMax = 500;

constexpr std::array<std::string_view, 11> kEmptyWords = {"util",    "utils",  "helper", "helpers",
                                                          "manager", "common", "misc",   "base",
                                                          "impl",    "types",  "stuff"};

struct Token {
  std::string_view text;
  std::string_view folder;  // where it is banned; empty: everywhere
  std::string_view instead;
};

// Written in two pieces, so that this file does not break its own rules.
constexpr std::array<Token, 5> kCodeTokens = {{
    {"assert(", "",
     "write ESDB_CHECK (storage/check.h) or a GoogleTest expectation: NDEBUG "
     "removes assert"},
    {"throw", "storage", "return an Error: no exception leaves the engine"},
    {"[=]", "", "name what the lambda captures, so that lifetimes can be seen"},
    {"using namespace", "", "name what you use (namespaces of literals are excepted)"},
    {"KJ_"
     "DBG",
     "", "remove the debug print"},
}};
constexpr std::array<Token, 4> kTextTokens = {{
    {"FIX"
     "ME",
     "", "mend it now, or open an issue"},
    {"TO"
     "DO",
     "", "do it now, or open an issue"},
    {"XX"
     "X",
     "", "do it now, or open an issue"},
    {"DISABLED"
     "_",
     "", "run the test or delete it"},
}};

void add(Findings& findings, const File& file, std::size_t line, std::string rule,
         std::string instead) {
  findings.push_back({file.path, line, std::move(rule), std::move(instead)});
}

std::size_t columns_of(std::string_view line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool has_columns(std::string_view path) {
  return is_cpp(path) || path.ends_with(".capnp") || path.ends_with(".cmake") ||
         path.ends_with("CMakeLists.txt") || path.starts_with("scripts/");
}

void check_token(const File& file, std::string_view where, const Token& token, Findings& findings) {
  if (!token.folder.empty() && folder_of(file.path) != token.folder) return;
  for (auto at = find_word(where, token.text); at != where.npos;
       at = find_word(where, token.text, at + 1)) {
    const auto end_of_statement = where.substr(at, where.find(';', at) - at);
    if (token.text == "using namespace" && end_of_statement.ends_with("literals")) continue;
    add(findings, file, line_at(where, at), "token " + std::string(token.text),
        std::string(token.instead));
  }
}

bool defines_class(std::string_view code) {
  for (std::string_view word : {"class", "struct"})
    for (auto at = find_word(code, word); at != code.npos; at = find_word(code, word, at + 1)) {
      const auto line_begin = code.rfind('\n', at) + 1;
      const auto end = code.find_first_of(";{", at);
      if (line_begin == at && word == "class" && end != code.npos && code[end] == '{') return true;
    }
  return false;
}

}  // namespace

std::string to_string(const Finding& finding) {
  return finding.path + ":" + std::to_string(finding.line) + ": " + finding.rule + ": " +
         finding.instead;
}

void check_lengths(const File& file, Findings& findings) {
  const auto lines = lines_of(file.text);
  for (std::size_t i = 0; i < lines.size() && has_columns(file.path); ++i)
    if (columns_of(lines[i]) > kColumnsMax && !lines[i].contains("://"))
      add(findings, file, i + 1, "columns",
          "break the line: " + std::to_string(columns_of(lines[i])) + " columns, at most " +
              std::to_string(kColumnsMax));
  if (!is_cpp(file.path)) return;
  if (lines.size() > kFileLinesMax)
    add(findings, file, lines.size(), "file length",
        "split it by responsibility: " + std::to_string(lines.size()) + " lines, at most " +
            std::to_string(kFileLinesMax));
  for (const auto& function : functions_of(file.code))
    if (function.length() > kFunctionLinesMax)
      add(findings, file, function.first_line, "function length",
          "keep the branches here and move the leaves into functions of their own: " +
              std::to_string(function.length()) + " lines, at most " +
              std::to_string(kFunctionLinesMax));
}

void check_name(const File& file, Findings& findings) {
  if (!is_cpp(file.path)) return;
  const auto stem = stem_of(file.path);
  for (std::string_view word : kEmptyWords) {
    const auto at = std::search(stem.begin(), stem.end(), word.begin(), word.end());
    if (at == stem.end()) continue;
    const auto end = at + static_cast<std::ptrdiff_t>(word.size());
    const bool whole = (at == stem.begin() || at[-1] == '_') && (end == stem.end() || *end == '_');
    if (whole)
      add(findings, file, 1, "file name",
          "name the thing it holds: anything fits into \"" + std::string(word) + "\"");
  }
}

void check_tokens(const File& file, Findings& findings) {
  for (const auto& token : kTextTokens) check_token(file, file.text, token, findings);
  for (const auto& token : kCodeTokens) check_token(file, file.code, token, findings);
}

void check_seam(const File& file, Findings& findings) {
  constexpr std::string_view kSeam = "storage/io.h";
  if (folder_of(file.path) != "storage" || file.path == kSeam) return;
  const auto at = find_word(file.code, "virtual");
  if (at != file.code.npos)
    add(findings, file, line_at(file.code, at), "interface",
        "take the concrete type: " + std::string(kSeam) + " is the engine's one inner interface");
}

void check_header(const File& file, Findings& findings) {
  if (!file.path.ends_with(".h")) return;
  if (!file.text.starts_with("//"))
    add(findings, file, 1, "header comment", "say in a comment on line 1 what belongs here");
  if (!file.text.contains("\n#pragma once\n"))
    add(findings, file, 1, "include guard", "write #pragma once below the opening comment");
  if (folder_of(file.path) == "storage" && defines_class(file.code) &&
      !file.text.contains("Threads:"))
    add(findings, file, 1, "threads", "say behind \"Threads:\" which threads may call what");
}

void check_document(const File& file, Findings& findings) {
  if (!file.path.ends_with(".md")) return;
  const auto lines = lines_of(file.text);
  std::size_t titles = 0;
  bool in_fence = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].starts_with("```")) in_fence = !in_fence;
    // Tables and code are as wide as they must be.
    const bool is_prose = !in_fence && !lines[i].starts_with('|') && !lines[i].starts_with("    ");
    if (is_prose && columns_of(lines[i]) > kColumnsMax)
      add(findings, file, i + 1, "columns",
          "wrap the line at " + std::to_string(kColumnsMax) + " columns");
    if (in_fence || !lines[i].starts_with("# ")) continue;
    if (++titles > 1)
      add(findings, file, i + 1, "title", "make it a `##`: a document has one title");
  }
  if (titles == 0)
    add(findings, file, 1, "title", "begin with `# ` and what the document is about");
}

Findings check(const std::vector<File>& tree) {
  Findings findings;
  for (const auto& file : tree) {
    check_lengths(file, findings);
    check_name(file, findings);
    check_tokens(file, findings);
    check_seam(file, findings);
    check_header(file, findings);
    check_includes(file, findings);
    check_document(file, findings);
  }
  check_own_header_first(tree, findings);
  check_storage_tests(tree, findings);
  check_listed_sources(tree, findings);
  check_references(tree, findings);
  check_scarce_includes(tree, findings);
  return findings;
}

}  // namespace esdb::tidy
