#include "protocol/text.h"

#include <cstdint>
#include <cstring>

namespace esdb::protocol {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_tail(unsigned char c) { return (c & 0xc0) == 0x80; }

// The length of the character that begins at `at`, or 0 where none does (Unicode 15, table 3-7).
std::size_t character_bytes(const unsigned char* at, std::size_t left) {
  const unsigned char c = at[0];
  if (c < 0x80) return 1;
  if (c < 0xc2 || c > 0xf4) return 0;
  if (c < 0xe0) return left >= 2 && is_tail(at[1]) ? 2 : 0;
  unsigned char low = 0x80, high = 0xbf;  // what the second byte may be
  if (c == 0xe0) low = 0xa0;
  if (c == 0xed) high = 0x9f;
  if (c == 0xf0) low = 0x90;
  if (c == 0xf4) high = 0x8f;
  const std::size_t bytes = c < 0xf0 ? 3 : 4;
  if (left < bytes || at[1] < low || at[1] > high || !is_tail(at[2])) return 0;
  return bytes == 3 || is_tail(at[3]) ? bytes : 0;
}

// Whether none of eight bytes is a control character or beyond ASCII. May say no where it is so.
bool eight_are_plain(std::uint64_t eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  const std::uint64_t below_space = (eight - 0x20 * kOnes) & ~eight;
  const std::uint64_t delete_as_zero = eight ^ 0x7f * kOnes;
  const std::uint64_t is_delete = (delete_as_zero - kOnes) & ~delete_as_zero;
  return ((eight | below_space | is_delete) & 0x80 * kOnes) == 0;
}

// What nearly all names are: printable ASCII. May say no where it is so.
bool is_plain(std::string_view text) {
  std::uint64_t eight = 0;
  std::size_t i = 0;
  for (; i + sizeof eight <= text.size(); i += sizeof eight) {
    std::memcpy(&eight, text.data() + i, sizeof eight);
    if (!eight_are_plain(eight)) return false;
  }
  eight = 0x6161616161616161;  // what is not there is letters
  std::memcpy(&eight, text.data() + i, text.size() - i);
  return eight_are_plain(eight);
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t i = 0;
  while (i < text.size()) {
    std::uint64_t eight;
    if (text.size() - i >= sizeof eight) {
      std::memcpy(&eight, bytes + i, sizeof eight);
      if ((eight & 0x8080808080808080) == 0) {
        i += sizeof eight;
        continue;
      }
    }
    const std::size_t n = character_bytes(bytes + i, text.size() - i);
    if (n == 0) return false;
    i += n;
  }
  return true;
}

Result<void> check_text(std::string_view text, const TextRule& rule) {
  const bool fits = !text.empty() && text.size() <= rule.bytes_max;
  if (fits && (rule.system_allowed || text.front() != '$') && is_plain(text)) return {};
  const std::string field(rule.field);
  if (text.empty())
    return invalid(field + ": empty; it is 1 to " + std::to_string(rule.bytes_max) + " bytes");
  if (text.size() > rule.bytes_max)
    return too_large(field + ": " + std::to_string(text.size()) + " bytes, and at most " +
                     std::to_string(rule.bytes_max) + " are accepted");
  if (!is_utf8(text)) return invalid(field + ": \"" + shown(text) + "\" is not UTF-8");
  if (!rule.control_allowed)
    for (const char c : text)
      if (is_control(c))
        return invalid(field + ": \"" + shown(text) + "\" holds a control character");
  if (!rule.system_allowed && text.front() == '$')
    return invalid(field + ": \"" + shown(text) +
                   "\" begins with '$'; such names belong to the store");
  return {};
}

std::string shown(std::string_view text, std::size_t bytes_max) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  for (std::size_t i = 0; i < text.size();) {
    if (i >= bytes_max) return out + "...";
    const std::size_t n = character_bytes(bytes + i, text.size() - i);
    if (n == 0 || is_control(text[i])) {
      out.append("\\x").append(1, kHex[bytes[i] >> 4]).append(1, kHex[bytes[i] & 15]);
      ++i;
    } else {
      out.append(text.substr(i, n));
      i += n;
    }
  }
  return out;
}

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidArgument, .message = std::move(message)});
}

std::unexpected<Error> too_large(std::string message) {
  return std::unexpected(Error{.code = ErrorCode::kTooLarge, .message = std::move(message)});
}

}  // namespace esdb::protocol
