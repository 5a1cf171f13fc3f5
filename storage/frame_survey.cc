#include "storage/frame_survey.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "storage/aligned_bytes.h"
#include "storage/check.h"
#include "storage/frame_check.h"
#include "storage/sabotage.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kPage = 4096;

// Takes in the frame at used(), when it is whole and follows; else says what is wrong.
std::string take_frame(OpenSegment& segment, FrameSurvey& survey) {
  const auto& header = segment.header();
  const auto offset = segment.used();
  const auto rest = segment.image().subspan(offset);
  const FramePlace place{header.number, offset, header.seed, header.unit_bytes};
  const auto frame = frame_header_at(rest, place);
  if (!frame) return all_zero(rest.first(sizeof(FrameHeader))) ? "zeros" : "no frame header";
  if (frame->format != kFormatVersion) {
    survey.format_unknown = frame->format;
    return "a frame of a later format";
  }
  if (!segment.has_room(frame->length - sizeof(FrameHeader), frame->event_count))
    return "a frame that leaves its segment's footer no room";
  const auto bytes = frame_bytes(*frame, place.unit_bytes);
  std::vector<ScannedRecord> records;
  if (auto why = check_content(*frame, rest.first(bytes), place, records); !why.empty())
    return "a torn frame: " + why;
  const auto parent =
      frame->kind == FrameKind::kEpoch ? parent_epoch_of(rest.first(bytes)) : Uuid{};
  const FrameExpected expected{.frame_number = segment.last_frame() + 1,
                               .first_position = segment.last().value + 1,
                               .epoch_id = segment.epoch_id(),
                               .commit_time_min = segment.commit_time()};
  if (auto why = check_follows(*frame, expected, parent); !why.empty())
    return "a stale frame: " + why;
  survey.claimed = std::max(survey.claimed, frame->durable_frame);
  segment.take_in(*frame, records);
  return "";
}

}  // namespace

IoResult<ImageRead> read_image(OpenSegment& segment) {
  const auto& header = segment.header();
  auto size = segment.file().size();
  if (!size) return std::unexpected(size.error());
  ImageRead result{.file_bytes = std::min<std::uint64_t>(*size, header.segment_bytes),
                   .written_to = segment.used()};
  AlignedBytes chunk(std::min<std::uint64_t>(kChunkBytes, padded(header.segment_bytes, kPage)));
  for (std::uint64_t at = segment.used() / kPage * kPage; at < result.file_bytes;
       at += kChunkBytes) {
    const auto want =
        std::min<std::uint64_t>(kChunkBytes, padded(header.segment_bytes - at, kPage));
    const auto into = chunk.bytes().first(want);
    auto count = sabotaged(Sabotage::kRecoveryReadsPageCache)
                     ? segment.file().read(at, into)
                     : segment.file().read_device(at, into);
    if (!count) return std::unexpected(count.error());
    const auto end = std::min<std::uint64_t>(*count, header.segment_bytes - at);
    for (std::size_t page = 0; page < end; page += kPage) {
      // The first page may begin with header and witnesses.
      const auto from = at + page < segment.used() ? segment.used() - at - page : 0;
      if (from >= std::min(kPage, end - page)) continue;
      const auto bytes = chunk.bytes().subspan(page + from, std::min(kPage, end - page) - from);
      if (all_zero(bytes)) continue;
      std::memcpy(segment.writable_image().data() + at + page + from, bytes.data(), bytes.size());
      result.written_to = std::max(result.written_to, at + page + from + bytes.size());
    }
    if (*count < want) break;
  }
  result.written_to =
      std::min<std::uint64_t>(padded(result.written_to, header.unit_bytes), header.segment_bytes);
  return result;
}

FrameSurvey survey_frames(OpenSegment& segment, std::uint64_t written_to, bool claims_only) {
  FrameSurvey survey;
  while (!claims_only && survey.stopped_by.empty() && segment.used() < written_to)
    survey.stopped_by = take_frame(segment, survey);
  if (survey.stopped_by.empty()) survey.stopped_by = "zeros";
  const auto& header = segment.header();
  for (auto at = segment.used(); at + sizeof(FrameHeader) <= written_to; at += header.unit_bytes) {
    const auto frame = frame_header_at(segment.image().subspan(at),
                                       {header.number, at, header.seed, header.unit_bytes});
    if (frame) survey.claimed = std::max(survey.claimed, frame->durable_frame);
  }
  return survey;
}

}  // namespace esdb::storage
