#include "tests/tidy/functions.h"

#include <cctype>
#include <string>

#include "tests/tidy/source.h"

namespace esdb::tidy {
namespace {

enum class Brace { kScope, kBody, kInitializer };

// Behind the bracket that closes the one at `at`.
std::size_t behind_match(std::string_view code, std::size_t at, char open, char close) {
  int depth = 0;
  for (; at < code.size(); ++at) {
    if (code[at] == open) ++depth;
    if (code[at] == close && --depth == 0) return at + 1;
  }
  return code.size();
}

// The head of a declaration without what may hide a decisive word or sign: template parameters,
// attributes, names of operators.
std::string bare(std::string_view head) {
  std::string result;
  for (std::size_t at = 0; at < head.size();) {
    const auto rest = head.substr(at);
    const bool word_begins = at == 0 || !is_word_character(head[at - 1]);
    if (word_begins && rest.starts_with("template")) {
      const auto open = head.find('<', at);
      at = open == head.npos ? at + 8 : behind_match(head, open, '<', '>');
    } else if (word_begins && (rest.starts_with("alignas(") || rest.starts_with("requires("))) {
      at = behind_match(head, head.find('(', at), '(', ')');
    } else if (rest.starts_with("[[")) {
      at = behind_match(head, at, '[', ']');
    } else if (word_begins && rest.starts_with("operator")) {
      at += 8;
      while (at < head.size() && head[at] != '(' && !is_word_character(head[at])) ++at;
      result += "operator";
    } else {
      result += head[at++];
    }
  }
  return result;
}

// What the brace behind `head` opens.
Brace opens(std::string_view head) {
  const auto words = bare(head);
  auto has = [&](std::string_view word) { return find_word(words, word) != words.npos; };
  if (has("namespace") || has("extern")) return Brace::kScope;
  int depth = 0;
  bool called = false;
  for (char c : words) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    called = called || c == '(';
    if (c == '=' && depth == 0) return Brace::kInitializer;
  }
  if (called) return Brace::kBody;
  if (has("enum")) return Brace::kInitializer;
  return has("class") || has("struct") || has("union") ? Brace::kScope : Brace::kInitializer;
}

std::size_t skip_space(std::string_view code, std::size_t at) {
  while (at < code.size() && std::isspace(static_cast<unsigned char>(code[at]))) ++at;
  return at;
}

// Behind the directive that begins at `at`, continued lines included.
std::size_t behind_directive(std::string_view code, std::size_t at) {
  while (at < code.size() && code[at] != '\n') at += code[at] == '\\' ? 2 : 1;
  return at;
}

bool ends_access_specifier(std::string_view code, std::size_t colon) {
  const auto before = code.substr(0, colon);
  return before.ends_with("public") || before.ends_with("private") || before.ends_with("protected");
}

}  // namespace

std::vector<Function> functions_of(std::string_view code) {
  std::vector<Function> functions;
  std::size_t head = 0;
  for (std::size_t at = 0; at < code.size();) {
    const char c = code[at];
    if (c == '#') {
      head = at = behind_directive(code, at);
    } else if (c == '(') {
      at = behind_match(code, at, '(', ')');
    } else if (c == ';' || c == '}' || (c == ':' && ends_access_specifier(code, at))) {
      head = ++at;
    } else if (c != '{') {
      ++at;
    } else if (const auto kind = opens(code.substr(head, at - head)); kind == Brace::kScope) {
      head = ++at;
    } else {
      at = behind_match(code, at, '{', '}');
      // Behind an initializer the declaration goes on: `: a_{1}, b_{2} {` and `x{1};`.
      const auto next = skip_space(code, at);
      const bool goes_on = next < code.size() && std::string_view(",{;").contains(code[next]);
      if (goes_on || kind == Brace::kInitializer) continue;
      functions.push_back({line_at(code, skip_space(code, head)), line_at(code, at - 1)});
      head = at;
    }
  }
  return functions;
}

}  // namespace esdb::tidy
