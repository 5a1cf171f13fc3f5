// Positions packed: ascending numbers as the differences between them, seven bits to a byte.
//
// Threads: functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace esdb::storage {

// A full chunk of a term's list, and the most that lie in its row.
inline constexpr std::size_t kChunkPositions = 128;

void append_varint(std::uint64_t number, std::vector<std::byte>& out);
// Takes it off the front of `bytes`. False: it is not there, or longer than it must be.
bool take_varint(std::span<const std::byte>& bytes, std::uint64_t& number);

// The differences of each from the one before it; the first position stands elsewhere.
void append_differences(std::span<const std::uint64_t> positions, std::vector<std::byte>& out);
// Into `out`, whose first element is the first position. False unless `bytes` are exactly so many
// differences, none of them 0, with no number beyond 64 bits.
bool read_differences(std::span<const std::byte> bytes, std::span<std::uint64_t> out);

}  // namespace esdb::storage
