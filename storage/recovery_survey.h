// Survey: what lies in a log's directory, read without writing: the segments, the frames in those
// that are not sealed, and every claim of what was durable.
//
// Threads: one, before anything else runs.
// Errors:  kRefused where the device cannot be read, kLocked, kUnsupported (a later format),
//          kUnavailable where the process is short of descriptors or memory.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "esdb/error.h"
#include "storage/arena.h"
#include "storage/io.h"
#include "storage/open_segment.h"
#include "storage/recovery_table.h"
#include "storage/segment_file.h"
#include "storage/segment_list.h"

namespace esdb::storage {

// One segment that is not sealed, with the frames that are whole and follow each other.
struct SurveyedSegment {
  std::shared_ptr<OpenSegment> segment{};
  std::uint64_t file_bytes{};  // less than its header says: the file was cut
  std::uint64_t written_to{};  // behind the last unit that is not zero
  std::string stopped_by{};    // why the bytes behind its last frame are no frame
  std::optional<FoundWitness> witness{};
};

// A claim of what was durable, and who makes it.
struct DurableClaim {
  std::uint64_t frame{};
  std::string by{};
};

struct Survey {
  FoundFiles files = FoundFiles::kNone;
  std::string objection{};  // what is wrong with the files, naming one
  Uuid store_id{};
  std::uint64_t seed{};
  std::vector<Segment> sealed_or_full{};    // in order, up to the open one
  std::vector<SurveyedSegment> unsealed{};  // in order; may stand before sealed ones
  std::size_t open{};                       // in `unsealed`: the one that takes the next frame
  std::vector<std::string> half_made{};     // paths of files to be made again
  OpenSegment::Before end{};                // X - 1
  DurableClaim claimed{};                   // D, without the index's
  std::uint64_t sealed_bytes{};             // of frames and what stands before them
};

struct SurveyOptions {
  std::string directory{};  // of the segments
  Access access{};
  std::function<void(std::string_view)> log{};
};

Result<Survey> survey_log(Io& io, const SurveyOptions& options,
                          const std::shared_ptr<ArenaPool>& arenas);

}  // namespace esdb::storage
