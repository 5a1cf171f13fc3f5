// Lines of events as import takes and export writes them, compared without the code that reads and
// writes them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/end_to_end/process.h"

namespace esdb::end_to_end {

// A file of lines, compressed with zstd or not.
class LineFile {
 public:
  explicit LineFile(const std::string& path);
  std::size_t size() const { return begins_.size(); }
  std::string_view line(std::size_t index) const;  // from 0, without its newline
  // Lines [first, last), with their newlines.
  std::string_view lines(std::size_t first, std::size_t last) const;

 private:
  std::size_t end_of(std::size_t index) const;

  std::string text_{};
  std::vector<std::size_t> begins_{};
};

// The value of a key of an object, as written; empty: it has no such key.
std::string_view raw_value(std::string_view object, std::string_view key);

// "" when `exported` holds the events of `imported`, all of them in that order: the same ids,
// streams, types and times, the same bytes of data and metadata, and positions without a gap. Else
// the first difference.
std::string difference(const LineFile& imported, const LineFile& exported);

// Exports all of a store and compares.
std::string difference(const LineFile& imported, const std::string& store,
                       const std::string& export_to);

// How an import by correlationId of `file` is called, from standard input.
Command import_of_standard_input(const std::string& store);

}  // namespace esdb::end_to_end
