// Reading one unsealed segment back: its bytes from the device into its image, the frames that are
// whole, and what the others claim.
//
// Threads: one, before anything else runs.
#pragma once

#include <cstdint>
#include <string>

#include "storage/io.h"
#include "storage/open_segment.h"

namespace esdb::storage {

struct ImageRead {
  std::uint64_t file_bytes{};
  std::uint64_t written_to{};  // behind the last unit that is not zero
};
// What a cut file lacks is zero. Pages that hold only zeros are not touched.
IoResult<ImageRead> read_image(OpenSegment& segment);

struct FrameSurvey {
  std::uint64_t claimed{};         // the highest durable frame that any frame's header names
  std::string stopped_by{};        // what is wrong with the bytes behind the last frame taken in
  std::uint32_t format_unknown{};  // of a frame of a later version, else 0
};
// Takes in every frame that follows, unless `claims_only`; behind the last it looks at every unit
// for headers of ours.
FrameSurvey survey_frames(OpenSegment& segment, std::uint64_t written_to, bool claims_only);

}  // namespace esdb::storage
