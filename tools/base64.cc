#include "tools/base64.h"

#include <array>
#include <cstdint>

namespace esdb::tools {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 255;

constexpr auto kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNone);
  for (std::uint8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(kAlphabet[i])] = i;
  return values;
}();

}  // namespace

void append_base64(std::string_view bytes, std::string& out) {
  const auto byte = [&](std::size_t at) -> std::uint32_t {
    return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
  };
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const auto word = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
    out += kAlphabet[word >> 18];
    out += kAlphabet[word >> 12 & 63];
    out += at + 1 < bytes.size() ? kAlphabet[word >> 6 & 63] : '=';
    out += at + 2 < bytes.size() ? kAlphabet[word & 63] : '=';
  }
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    auto quad = text.substr(at, 4);
    std::size_t padding = 0;
    if (at + 4 == text.size()) padding = quad[3] != '=' ? 0 : quad[2] != '=' ? 1 : 2;
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto value =
          i < 4 - padding ? kValues[static_cast<unsigned char>(quad[i])] : std::uint8_t{0};
      if (value == kNone) return std::nullopt;
      word = word << 6 | value;
    }
    const auto kept = 3 - padding;
    // Bits that belong to no byte are zero, or two texts would mean the same bytes.
    if (padding != 0 && (word & ((1u << 8 * padding) - 1)) != 0) return std::nullopt;
    for (std::size_t i = 0; i < kept; ++i) bytes += static_cast<char>(word >> (16 - 8 * i) & 255);
  }
  return bytes;
}

}  // namespace esdb::tools
