// Which lines of an import make one append.
//
// By key: consecutive lines with the same value of that key; a line without it is an append of its
// own. By size: so many lines, fewer where they are large. A bad line spoils the append it belongs
// to. Where a line is too broken to tell its key, it could belong to the append before it or to the
// one behind it, and neither may be written without it: it spoils both.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "esdb/error.h"
#include "tools/json_lines.h"
#include "tools/pipeline.h"

namespace esdb::tools {

struct Grouping {
  bool by_key = false;
  std::size_t lines = 500;                   // of an append, by size
  std::size_t bytes = std::size_t{2} << 20;  // of an append, by size: well below every limit
  std::size_t key_bytes_max = std::size_t{64} << 20;  // by key: more is no append anywhere
};

struct BadLine {
  std::uint64_t number{};
  std::string reason{};
};

// A group that cannot be written, and why.
struct SpoiledGroup {
  std::uint64_t first_line{}, last_line{};
  std::uint64_t lines{};       // between them, without blank ones: all of them are left out
  std::vector<BadLine> bad{};  // what spoiled it, in order; kBadLinesMax at most
};

// Of one group, told one by one.
inline constexpr std::size_t kBadLinesMax = 100;

// Threads: one.
class Groups {
 public:
  using OnUnit = std::function<Result<void>(Unit)>;
  using OnSpoiled = std::function<Result<void>(const SpoiledGroup&)>;

  // Both are called in the order of the lines; an error of theirs ends the call it happened in.
  Groups(Grouping grouping, OnUnit on_unit, OnSpoiled on_spoiled)
      : grouping_(grouping), on_unit_(std::move(on_unit)), on_spoiled_(std::move(on_spoiled)) {}

  Result<void> add(std::uint64_t number, JsonLineReader::Line& line);  // takes line.event
  // `line` where enough of it could be read to know its group.
  Result<void> add_bad(BadLine bad, const JsonLineReader::Line* line);
  Result<void> finish();

 private:
  bool joins(const std::string& key) const;
  bool full(std::size_t more_bytes) const;
  Result<void> close();
  void begin(std::uint64_t number, std::optional<std::string> key);
  void spoil(BadLine bad);

  Grouping grouping_;
  OnUnit on_unit_;
  OnSpoiled on_spoiled_;
  bool open_ = false;
  Unit unit_{};
  std::uint64_t first_line_ = 0, last_line_ = 0;
  std::size_t lines_ = 0, bytes_ = 0;
  std::optional<std::string> key_{};   // by key: of the group; nothing while only bad lines are in
  std::vector<BadLine> bad_{};         // what spoiled the group
  std::optional<BadLine> unplaced_{};  // a bad line that may belong to the next group as well
};

}  // namespace esdb::tools
