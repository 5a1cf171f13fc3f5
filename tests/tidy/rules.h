// The rules of this repository that no compiler checks. Each finding says what to do instead.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/tidy/source.h"

namespace esdb::tidy {

struct Finding {
  std::string path{};
  std::size_t line{};
  std::string rule{};
  std::string instead{};
};
std::string to_string(const Finding& finding);  // "path:line: rule: do this instead"

using Findings = std::vector<Finding>;

// Rules that look at one file.
void check_lengths(const File& file, Findings& findings);   // columns, functions, files
void check_name(const File& file, Findings& findings);      // words that say nothing
void check_tokens(const File& file, Findings& findings);    // words that must not be written
void check_seam(const File& file, Findings& findings);      // one interface inside the engine
void check_header(const File& file, Findings& findings);    // opening comment, pragma, Threads:
void check_includes(const File& file, Findings& findings);  // who may include whom
void check_document(const File& file, Findings& findings);  // one title

// Rules that look at files together.
void check_own_header_first(const std::vector<File>& tree, Findings& findings);
void check_storage_tests(const std::vector<File>& tree, Findings& findings);
void check_listed_sources(const std::vector<File>& tree, Findings& findings);
void check_references(const std::vector<File>& tree, Findings& findings);
void check_scarce_includes(const std::vector<File>& tree, Findings& findings);

Findings check(const std::vector<File>& tree);  // all of the above

}  // namespace esdb::tidy
