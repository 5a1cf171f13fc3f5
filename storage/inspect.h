// Inspect: what a store's log is made of, for people: segments, frames, records. Offline, of a
// directory that may be damaged in any way; writes nothing, and shows what it cannot trust.
//
// Threads: functions; any thread.
// Errors:  kInvalidArgument (no store, no such segment). Damage is no error: it is shown.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "esdb/error.h"
#include "esdb/event.h"
#include "esdb/numbers.h"

namespace esdb::storage {

struct InspectedWitness {
  bool is_sound{};
  bool is_clean{};
  std::uint64_t durable_frame{};
  std::uint64_t sequence{};
};

struct InspectedSegment {
  std::uint32_t number{};
  std::string file{};
  std::uint64_t file_bytes{};
  std::string damage{};  // of header or footer; empty when they are sound
  // From the header, when it is sound.
  std::string store_id{};
  std::uint32_t format{};
  std::uint64_t segment_bytes{};
  std::uint32_t block_bytes{}, unit_bytes{};
  std::vector<InspectedWitness> witnesses{};
  bool is_sealed{};
  // Sealed: from the footer. Else counted, up to the first frame that is not whole.
  Position first{};
  std::uint64_t first_frame{};
  std::uint64_t events{}, frames{};
  std::uint64_t frames_end{};  // offset behind the last frame
  Time first_committed{}, last_committed{};
  std::string first_epoch{}, last_epoch{};            // of what stands before it; of its last frame
  std::uint64_t offsets_at{}, ids_at{}, frames_at{};  // sealed
};

struct InspectedRecord {
  std::uint64_t offset{};
  bool is_tracking{};
  Position position{};
  Version version{};
  Position previous{};
  std::uint32_t ordinal{};
  bool ends_commit{};
  std::span<const std::byte> payload{};  // valid during the callback
  std::string source{};                  // tracking
  std::uint64_t tracked{};
};

struct InspectedFrame {
  std::uint64_t offset{};
  std::string damage{};  // why it is no whole frame of this log; empty when it is one
  // From the header, when it is sound.
  bool has_header{};
  bool is_epoch{};
  std::uint64_t frame_number{};
  std::uint32_t length{};
  Position first{};
  std::uint32_t record_count{}, event_count{};
  std::string epoch_id{}, parent_epoch_id{};
  Time committed{};
  std::uint64_t durable_frame{};
  std::vector<InspectedRecord> records{};
};

// Every segment file, in order of number.
Result<std::vector<InspectedSegment>> inspect(const std::string& directory);

// Every frame of one segment, from its beginning to the last unit that is not zero; behind damage
// it goes on with the next frame header it finds. The callback's error ends it.
Result<void> inspect_frames(const std::string& directory, std::uint32_t segment,
                            const std::function<Result<void>(const InspectedFrame&)>& each);

}  // namespace esdb::storage
