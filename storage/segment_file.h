// Segment files: their names, how one is made, what its first blocks say.
//
// A file is allocated, zeroed and synced before its header is written, and its directory synced
// before a frame goes into it. A crash in between leaves a file without a sound header that is zero
// behind it: it holds nothing and is made again.
//
// Threads: functions; any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/format.h"
#include "storage/io.h"

namespace esdb::storage {

std::string segment_name(std::uint32_t number);  // "0000000a.seg"
std::optional<std::uint32_t> parse_segment_name(std::string_view name);

// Makes the file <directory>/<name of header.number>, replacing a half-made one, slice by slice,
// because zeroing takes long and something else may be due in between. A file that is not finished,
// or failed, is removed: what it took of a full disk is given back.
//
// Threads: one.
class SegmentMaking {
 public:
  SegmentMaking(Io& io, std::string directory, const SegmentHeader& header);
  ~SegmentMaking();
  SegmentMaking(const SegmentMaking&) = delete;
  SegmentMaking& operator=(const SegmentMaking&) = delete;

  const SegmentHeader& header() const { return header_; }  // with its checksum
  // Zeros so many bytes more. The file, locked and on stable storage, when it is made; null before.
  // Not to be called again after an error.
  IoResult<std::unique_ptr<File>> step(std::uint64_t slice_bytes);

 private:
  IoResult<void> begin();
  IoResult<void> finish();

  Io& io_;
  const std::string directory_;
  SegmentHeader header_;
  const std::string path_;
  std::unique_ptr<File> file_{};
  std::uint64_t zeroed_ = 0;
};

// The same at once; the header's checksum is filled in.
IoResult<std::unique_ptr<File>> make_segment(Io& io, const std::string& directory,
                                             SegmentHeader& header);

// Sound, of whatever store and format version; its number is not compared with the file's name.
IoResult<std::optional<SegmentHeader>> read_segment_header(File& file);

// The one at the end of the file; nothing when there is no sound one of this segment.
IoResult<std::optional<FooterTail>> read_footer_tail(File& file, std::uint32_t number,
                                                     std::uint64_t seed);

// How long a killed process's writes, which hold its segments' locks, are waited for.
inline constexpr auto kPredecessorWait = std::chrono::seconds(2);

struct FoundWitness {
  Witness witness{};
  unsigned which{};
};
// In the bytes from a witness's place on; nothing when they are too few, or hold no sound one.
std::optional<Witness> witness_in(std::span<const std::byte> bytes, const SegmentHeader& header);
// The newer of the two; nothing when neither is sound. From the device.
IoResult<std::optional<FoundWitness>> read_witness(File& file, const SegmentHeader& header);
IoResult<void> write_witness(File& file, const SegmentHeader& header, unsigned which,
                             Witness witness);

}  // namespace esdb::storage
