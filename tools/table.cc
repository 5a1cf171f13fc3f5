#include "tools/table.h"

#include <algorithm>
#include <cstddef>

namespace esdb::tools {
namespace {

std::string padded(const std::string& text, std::size_t width, Table::Align align) {
  const auto taken = columns_of(text);
  std::string out;
  if (align == Table::Align::kLeft) out.append(text);
  out.append(width > taken ? width - taken : 0, ' ');
  if (align == Table::Align::kRight) out.append(text);
  return out;
}

}  // namespace

void Table::print(std::ostream& out, const Terminal& terminal) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = terminal.out ? columns_of(columns_[c].title) : 0;
    for (const auto& row : rows_) width = std::max(width, columns_of(row[c]));
    widths.push_back(width);
  }
  const auto print_row = [&](const auto& text_of, Ink ink) {
    std::string line;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c != 0) line += "  ";
      // The last column needs no space behind it.
      const bool bare = c + 1 == columns_.size() && columns_[c].align == Align::kLeft;
      line += bare ? text_of(c) : padded(text_of(c), widths[c], columns_[c].align);
    }
    out << inked(ink, line, terminal) << '\n';
  };
  if (terminal.out && !rows_.empty())
    print_row([&](std::size_t c) { return columns_[c].title; }, Ink::kDim);
  for (const auto& row : rows_) print_row([&](std::size_t c) { return row[c]; }, Ink::kPlain);
}

std::string grouped(std::uint64_t number) {
  auto text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

}  // namespace esdb::tools
