// The text of a query. What is accepted is within the limits and means the same, and is written in
// the same way, when it is printed and read again.
#include <string>

#include "esdb/limits.h"
#include "esdb/query.h"
#include "storage/check.h"
#include "tests/fuzz/input.h"

namespace esdb {
namespace {

void check_equal(const Query& a, const Query& b) {
  ESDB_CHECK(a.items().size() == b.items().size());
  for (std::size_t i = 0; i < a.items().size(); ++i) {
    const auto &x = a.items()[i], &y = b.items()[i];
    ESDB_CHECK(x.streams == y.streams && x.categories == y.categories);
    ESDB_CHECK(x.types == y.types && x.tags == y.tags);
  }
}

void check_limits(const Query& query) {
  ESDB_CHECK(!query.items().empty() && query.items().size() <= kQueryItemsMax);
  for (const auto& item : query.items()) {
    ESDB_CHECK(item.streams.size() <= kQueryNamesMax && item.categories.size() <= kQueryNamesMax);
    ESDB_CHECK(item.types.size() <= kQueryNamesMax && item.tags.size() <= kQueryNamesMax);
    for (const auto& name : item.streams)
      ESDB_CHECK(!name.empty() && name.size() <= kStreamBytesMax);
    for (const auto& name : item.types) ESDB_CHECK(!name.empty() && name.size() <= kTypeBytesMax);
    for (const auto& tag : item.tags)
      ESDB_CHECK(!tag.text.empty() && tag.text.size() <= kTagBytesMax);
  }
}

void check_query(std::string_view text) {
  const auto query = Query::parse(text);
  if (!query) {
    ESDB_CHECK(query.error().code == ErrorCode::kInvalidArgument ||
               query.error().code == ErrorCode::kTooLarge);
    ESDB_CHECK(!query.error().message.empty() && !query.error().message.contains('\n'));
    return;
  }
  check_limits(*query);
  const auto printed = to_string(*query);
  ESDB_CHECK(!printed.contains('\n'));
  const auto again = Query::parse(printed);
  ESDB_CHECK(again.has_value());
  check_equal(*query, *again);
  ESDB_CHECK(to_string(*again) == printed);
}

}  // namespace
}  // namespace esdb

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::check_query({reinterpret_cast<const char*>(data), size});
  return 0;
}
