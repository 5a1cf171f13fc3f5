// XXH3 for the terms and the index's rows: fast, and no protection against intent.
//
// Threads: functions, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace esdb::storage {

std::uint64_t hash64(std::span<const std::byte> bytes, std::uint64_t seed);
std::uint64_t hash64(std::string_view text, std::uint64_t seed);
// In the canonical, big-endian form.
std::array<std::byte, 16> hash128(std::string_view text, std::uint64_t seed);

}  // namespace esdb::storage
