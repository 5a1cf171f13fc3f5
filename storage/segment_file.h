// Segment files: their names, how one is made, what its first blocks say.
//
// A file is allocated, zeroed and synced before its header is written, and its directory synced
// before a frame goes into it. A crash in between leaves a file without a sound header that is zero
// behind it: it holds nothing and is made again.
//
// Threads: functions; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/format.h"
#include "storage/io.h"

namespace esdb::storage {

std::string segment_name(std::uint32_t number);  // "0000000a.seg"
std::optional<std::uint32_t> parse_segment_name(std::string_view name);

// Makes the file <directory>/<name of header.number>, replacing a half-made one; its checksum is
// filled in. It is on stable storage when this returns, and locked as `lock` says.
IoResult<std::unique_ptr<File>> make_segment(Io& io, const std::string& directory,
                                             SegmentHeader& header);

// Sound, of whatever store and format version; its number is not compared with the file's name.
IoResult<std::optional<SegmentHeader>> read_segment_header(File& file);

// The one at the end of the file; nothing when there is no sound one of this segment.
IoResult<std::optional<FooterTail>> read_footer_tail(File& file, std::uint32_t number,
                                                     std::uint64_t seed);

struct FoundWitness {
  Witness witness{};
  unsigned which{};
};
// The newer of the two; nothing when neither is sound. From the device.
IoResult<std::optional<FoundWitness>> read_witness(File& file, const SegmentHeader& header);
IoResult<void> write_witness(File& file, const SegmentHeader& header, unsigned which,
                             Witness witness);

}  // namespace esdb::storage
