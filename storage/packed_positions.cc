#include "storage/packed_positions.h"

#include "storage/check.h"

namespace esdb::storage {

void append_varint(std::uint64_t number, std::vector<std::byte>& out) {
  while (number >= 0x80) {
    out.push_back(static_cast<std::byte>(number | 0x80));
    number >>= 7;
  }
  out.push_back(static_cast<std::byte>(number));
}

bool take_varint(std::span<const std::byte>& bytes, std::uint64_t& number) {
  number = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::size_t at = shift / 7;
    if (at == bytes.size()) return false;
    const auto byte = static_cast<std::uint64_t>(bytes[at]);
    if (shift == 63 && byte > 1) return false;
    number |= (byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    if (byte == 0 && at > 0) return false;
    bytes = bytes.subspan(at + 1);
    return true;
  }
  return false;
}

void append_differences(std::span<const std::uint64_t> positions, std::vector<std::byte>& out) {
  for (std::size_t at = 1; at < positions.size(); ++at) {
    ESDB_CHECK(positions[at] > positions[at - 1]);
    append_varint(positions[at] - positions[at - 1], out);
  }
}

bool read_differences(std::span<const std::byte> bytes, std::span<std::uint64_t> out) {
  for (std::size_t at = 1; at < out.size(); ++at) {
    std::uint64_t difference = 0;
    if (!take_varint(bytes, difference) || difference == 0) return false;
    if (__builtin_add_overflow(out[at - 1], difference, &out[at])) return false;
  }
  return bytes.empty();
}

}  // namespace esdb::storage
