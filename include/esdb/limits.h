// Limits: what is accepted, in one place. Each is checked before anything of that size is
// allocated, answered with kTooLarge or kInvalidArgument naming the field, and tested on both
// sides.
#pragma once

#include <cstddef>
#include <cstdint>

namespace esdb {

// Names, in bytes of UTF-8. Streams and types hold no control characters (bytes below 0x20, 0x7f).
// A stream's name and a kind byte together are an LMDB key, whose longest is 511 bytes.
inline constexpr std::size_t kStreamBytesMax = 500;
inline constexpr std::size_t kTypeBytesMax = 255;
inline constexpr std::size_t kTagBytesMax = 255;
inline constexpr std::size_t kContentTypeBytesMax = 255;
inline constexpr std::size_t kSourceBytesMax = 255;  // of a tracking source

inline constexpr std::size_t kTagsMax = 64;             // of one event, repeated ones kept once
inline constexpr std::size_t kQueryItemsMax = 64;       // of one query
inline constexpr std::size_t kQueryNamesMax = 64;       // of a kind in one query item
inline constexpr std::size_t kChecksMax = 1024;         // of one append
inline constexpr std::size_t kTrackingMax = 64;         // sources in one append
inline constexpr std::size_t kPageMax = 10'000;         // rows of one page of streams or terms
inline constexpr std::size_t kBatchBytesMax = 1 << 20;  // what a remote next() gives at the most
                                                        // (one larger event is given alone)

// Appends, in bytes as encoded. The defaults of OpenOptions; neither can be set above the cap,
// which is a quarter of the smallest segment in use.
inline constexpr std::size_t kEventBytesDefault = 1 << 20;
inline constexpr std::size_t kAppendBytesDefault = 4 << 20;
inline constexpr std::size_t kAppendBytesCap = 16 << 20;

// Memory (OpenOptions::memory).
inline constexpr std::size_t kMemoryDefault = std::size_t{512} << 20;
inline constexpr std::size_t kMemoryMin = std::size_t{48} << 20;

// Segments (OpenOptions::segment_bytes).
inline constexpr std::size_t kSegmentBytesMin = std::size_t{1} << 20;
inline constexpr std::size_t kSegmentBytesMax = std::size_t{1} << 30;

// Ids by which an append is recognised as a retry where its checks do not show it.
inline constexpr std::size_t kIdWindowMax = 1'000'000;

static_assert(kStreamBytesMax + 1 <= 511, "a stream with its kind byte is an LMDB key");
static_assert(kEventBytesDefault <= kAppendBytesDefault && kAppendBytesDefault <= kAppendBytesCap);

}  // namespace esdb
