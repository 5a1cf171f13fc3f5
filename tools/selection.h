// Which events a command is about: options that many commands share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "esdb/cursor.h"
#include "esdb/query.h"

namespace CLI {
class App;
}

namespace esdb::tools {

struct Selection {
  std::optional<std::string> stream{};
  bool all = false;
  std::vector<std::string> categories{}, types{}, tags{};
  std::optional<std::string> query{};
};

// [STREAM] --all --category --type --tag --query
void add_selection(CLI::App& command, Selection& selection);

enum class WhenEmpty : std::uint8_t { kRefuse, kEverything };
Result<Query> to_query(const Selection& selection, WhenEmpty when_empty);

// Where a read begins and ends.
struct Range {
  std::optional<std::uint64_t> after{}, after_version{}, limit{};
  std::optional<std::string> since{}, until{};
};

// --after --after-version --limit --since --until
void add_range(CLI::App& command, Range& range);
Result<ReadOptions> to_read_options(const Range& range);
Result<Start> to_start(const Range& range);

}  // namespace esdb::tools
