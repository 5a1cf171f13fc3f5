// What the three standard streams are connected to, and what that allows: colours and progress only
// on a terminal, and never a control character from an event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace esdb::tools {

struct Terminal {
  bool in = false, out = false, err = false;  // whether each is a terminal
  bool color = false;                         // whether `out` may be coloured
  std::size_t columns = 80;
};

// Of this process; `no_color`: what the user's environment asks for.
enum class Color : std::uint8_t { kAllowed, kUnwanted };
Terminal this_terminal(Color color);

enum class Ink : std::uint8_t { kPlain, kDim, kBold, kGreen, kRed, kBlue };
std::string inked(Ink ink, std::string_view text, const Terminal& terminal);

// `text` with control characters and broken UTF-8 written as \xHH, so that nothing in an event can
// command the terminal that shows it.
std::string printable(std::string_view text);

// Columns that printable text takes, one a code point; and as much of it as fits, with "…" where
// something was cut.
std::size_t columns_of(std::string_view text);
std::string cut_to(std::string_view text, std::size_t columns);

}  // namespace esdb::tools
