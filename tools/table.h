// A table for people: columns as wide as what stands in them.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tools/terminal.h"

namespace esdb::tools {

class Table {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Column {
    std::string title{};
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  // Titles are printed only on a terminal, so that a pipe gets rows and nothing else.
  void print(std::ostream& out, const Terminal& terminal) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_{};
};

// "307,008"
std::string grouped(std::uint64_t number);

}  // namespace esdb::tools
