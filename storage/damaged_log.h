// DamagedLog: the segment files of a store that is refused, as far as they can still be told: which
// are this store's, which frames in them are whole, what every one of them claims durable. What
// repair goes by.
//
// Threads: functions; any thread, while nobody has the store open. Writes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "esdb/error.h"
#include "storage/format.h"
#include "storage/io.h"
#include "storage/open_segment.h"

namespace esdb::storage {

// A whole frame of a segment that is not sealed.
struct KnownFrame {
  FrameHeader header{};
  Uuid parent_epoch_id{};  // of an epoch frame
  std::uint64_t bytes{};   // its gap included
  std::uint64_t end() const { return header.offset + bytes; }
};

struct DamagedFile {
  enum class Kind : std::uint8_t {
    kMissing,
    kForeign,   // another store's, or with another number
    kNothing,   // no header, and zeros behind it
    kSealed,    // its footer says what it holds; its frames were not looked at
    kUnsealed,  // read whole
  };
  Kind kind = Kind::kMissing;
  std::uint32_t number{};
  std::string path{};
  std::uint64_t file_bytes{};
  bool has_sound_header = false;
  SegmentHeader header{};            // kSealed, kUnsealed: sound, or as it must have been
  FooterTail tail{};                 // kSealed
  std::vector<KnownFrame> frames{};  // kUnsealed, by offset
  std::uint64_t written_to{};        // kUnsealed: behind the last unit that is not zero
  std::uint64_t claimed{};           // frames up to this were durable, by what lies in this file

  bool holds_data() const { return kind == Kind::kSealed || written_to != 0; }
  // What the log ends with before this file, where it tells: sealed, or with its first frame whole.
  std::optional<OpenSegment::Before> begins_behind() const;
};

struct DamagedLog {
  Uuid store_id{};
  std::uint64_t seed{};
  std::vector<DamagedFile> files{};   // the number i at i - 1, up to the last one of this store
  std::vector<std::string> others{};  // names of segment files behind that
};

// kRefused where no header is sound: then nothing can be told from noise. kLocked while writes of a
// killed process are on their way. Else as look_at_log().
Result<DamagedLog> look_at_damaged(Io& io, const std::string& directory);

// The streams of the whole frames behind `offset`, at most so many, by name.
Result<std::vector<std::string>> streams_behind(Io& io, const DamagedFile& file,
                                                std::uint64_t offset, std::size_t most);

}  // namespace esdb::storage
