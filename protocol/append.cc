#include "esdb/append.h"

namespace esdb {

Check Check::stream(std::string name, Expect expect) {
  return {.kind = Kind::kStream, .name = std::move(name), .expect = expect};
}

Check Check::unchanged(Query query, Position after) {
  return {.kind = Kind::kUnchanged, .query = std::move(query), .after = after};
}

Check Check::absent(Query query) { return {.kind = Kind::kAbsent, .query = std::move(query)}; }

}  // namespace esdb
