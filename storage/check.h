// ESDB_CHECK: an assertion that is always on. For what can only be false through a bug here: it
// prints the expression and where it stands, and stops the process. Operating errors are values.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace esdb::storage {

// Writes to stderr, the one place of the engine that does: the process ends here.
[[noreturn]] inline void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "esdb: internal error at %s:%d: %s does not hold\n", file, line, expression);
  std::abort();
}

}  // namespace esdb::storage

#define ESDB_CHECK(expression)                                        \
  do {                                                                \
    if (!(expression)) [[unlikely]]                                   \
      ::esdb::storage::check_failed(#expression, __FILE__, __LINE__); \
  } while (false)
