// Where the functions of a C++ file begin and end, found by counting braces: enough for a rule
// about lengths, without a compiler.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace esdb::tidy {

struct Function {
  std::size_t first_line{};  // of its signature
  std::size_t last_line{};   // of its closing brace
  std::size_t length() const { return last_line - first_line + 1; }
};

// `code` has comments and literals blanked (source.h). Functions at namespace and class scope,
// TEST() bodies among them; a lambda belongs to the function it is written in.
std::vector<Function> functions_of(std::string_view code);

}  // namespace esdb::tidy
