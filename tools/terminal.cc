#include "tools/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

namespace esdb::tools {
namespace {

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// Bytes of the well-formed code point that `text` begins with, 0 where there is none.
std::size_t code_point_size(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t size = first < 0x80   ? 1
                           : first < 0xc2 ? 0
                           : first < 0xe0 ? 2
                           : first < 0xf0 ? 3
                           : first < 0xf5 ? 4
                                          : 0;
  if (size == 0 || text.size() < size) return 0;
  if (!std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(size), continues))
    return 0;
  const auto second = size > 1 ? static_cast<unsigned char>(text[1]) : 0u;
  const bool bad = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                   (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return bad ? 0 : size;
}

bool is_control(std::string_view code_point) {
  const auto first = static_cast<unsigned char>(code_point[0]);
  if (code_point.size() == 1) return first < 0x20 || first == 0x7f;
  // U+0080 to U+009F: some terminals obey them as they do an escape.
  return code_point.size() == 2 && first == 0xc2 &&
         static_cast<unsigned char>(code_point[1]) < 0xa0;
}

}  // namespace

Terminal this_terminal(Color color) {
  Terminal terminal{.in = ::isatty(STDIN_FILENO) == 1,
                    .out = ::isatty(STDOUT_FILENO) == 1,
                    .err = ::isatty(STDERR_FILENO) == 1};
  terminal.color = terminal.out && color == Color::kAllowed;
  winsize size{};
  const int at = terminal.out ? STDOUT_FILENO : STDERR_FILENO;
  if (::ioctl(at, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) terminal.columns = size.ws_col;
  return terminal;
}

std::string inked(Ink ink, std::string_view text, const Terminal& terminal) {
  if (!terminal.color || ink == Ink::kPlain) return std::string(text);
  std::string_view code;
  switch (ink) {
    case Ink::kPlain:
      break;
    case Ink::kDim:
      code = "2";
      break;
    case Ink::kBold:
      code = "1";
      break;
    case Ink::kGreen:
      code = "32";
      break;
    case Ink::kRed:
      code = "31";
      break;
    case Ink::kBlue:
      code = "34";
      break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto size = code_point_size(text);
    if (size == 0 || is_control(text.substr(0, size))) {
      for (const char byte : text.substr(0, std::max<std::size_t>(size, 1)))
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(byte));
    } else {
      out.append(text, 0, size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char byte) { return !continues(byte); }));
}

std::string cut_to(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  std::size_t at = 0, taken = 0;
  for (; at < text.size(); ++at) {
    if (!continues(text[at]) && ++taken >= columns) break;
  }
  return std::string(text.substr(0, at)).append("…");
}

}  // namespace esdb::tools
