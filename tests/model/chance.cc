#include "tests/model/chance.h"

#include <cstdlib>

namespace esdb::model {

std::uint64_t seed_of_this_run() {
  if (const char* given = std::getenv("ESDB_SEED")) return std::strtoull(given, nullptr, 10);
  return std::random_device{}();
}

}  // namespace esdb::model
