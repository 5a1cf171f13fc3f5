#include "storage/recovery_survey.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/aligned_bytes.h"
#include "storage/check.h"
#include "storage/frame_check.h"
#include "storage/frame_survey.h"
#include "storage/opening_error.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

// A file of the directory, and what it says of itself.
struct FoundFile {
  std::uint32_t number{};
  std::string path{};
  std::unique_ptr<File> file{};
  std::optional<SegmentHeader> header{};
  std::optional<FooterTail> tail{};
};

std::unexpected<Error> unreadable(const std::string& path, IoError error) {
  return opening_failed(path + " cannot be read", error,
                        "nothing was written; mend the device or restore the store from a backup");
}

std::unexpected<Error> unsupported(const std::string& path, std::uint32_t format) {
  return std::unexpected(Error{.code = ErrorCode::kUnsupported,
                               .message = path + " has format version " + std::to_string(format) +
                                          "; this program reads version " +
                                          std::to_string(kFormatVersion) + ": use a newer one"});
}

Result<std::vector<std::uint32_t>> numbers_in(Io& io, const SurveyOptions& options) {
  std::vector<std::uint32_t> numbers;
  auto names = io.list(options.directory);
  if (!names) return unreadable(options.directory, names.error());
  for (const auto& name : *names) {
    const auto number = parse_segment_name(name);
    if (number)
      numbers.push_back(*number);
    else if (options.log)
      options.log("not a segment, left alone: " + options.directory + "/" + name);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// Zero everywhere but in the header's block, or too short to say.
Result<bool> is_half_made(FoundFile& found) {
  auto size = found.file->size();
  if (!size) return unreadable(found.path, size.error());
  AlignedBytes chunk(kChunkBytes);
  for (std::uint64_t at = 0; at < *size; at += kChunkBytes) {
    auto count = found.file->read_device(at, chunk.bytes());
    if (!count) return unreadable(found.path, count.error());
    const auto skipped = at == 0 ? std::min(*count, AlignedBytes::kAlignment) : 0;
    if (!all_zero(chunk.bytes().first(*count).subspan(skipped))) return false;
    if (*count < kChunkBytes) break;
  }
  return true;
}

class Surveyor {
 public:
  Surveyor(Io& io, const SurveyOptions& options, std::shared_ptr<ArenaPool> arenas)
      : io_(io), options_(options), arenas_(std::move(arenas)) {}

  Result<Survey> run() {
    auto numbers = numbers_in(io_, options_);
    if (!numbers) return std::unexpected(numbers.error());
    if (numbers->empty()) return std::move(survey_);
    for (std::uint32_t i = 0; i < numbers->size(); ++i)
      if ((*numbers)[i] != i + 1)
        return object(FoundFiles::kMissing, path_of(i + 1) + " is missing");
    if (auto opened = open_all(*numbers); !opened) return std::unexpected(opened.error());
    if (survey_.files != FoundFiles::kSound) return std::move(survey_);
    if (auto followed = follow(); !followed) return std::unexpected(followed.error());
    return std::move(survey_);
  }

 private:
  std::string path_of(std::uint32_t number) const {
    return options_.directory + "/" + segment_name(number);
  }
  Survey object(FoundFiles files, std::string objection) {
    survey_.files = files;
    survey_.objection = std::move(objection);
    return std::move(survey_);
  }
  void settle(FoundFiles files, std::string objection = {}) {
    survey_.files = files;
    survey_.objection = std::move(objection);
  }

  Result<void> open_all(const std::vector<std::uint32_t>& numbers);
  Result<void> read_header(FoundFile& found);
  Result<bool> take_last_header();
  Result<void> reopen_unsealed(FoundFile& found);
  Result<void> follow();
  Result<void> follow_sealed(const FoundFile& found);
  Result<void> follow_unsealed(FoundFile& found);
  void claim(std::uint64_t frame, const std::string& by) {
    if (frame > survey_.claimed.frame) survey_.claimed = {frame, by};
  }

  Io& io_;
  const SurveyOptions& options_;
  std::shared_ptr<ArenaPool> arenas_;
  Survey survey_{};
  std::vector<FoundFile> found_{};
  OpenSegment::Before before_{};  // the end of what follows each other so far
  bool broken_ = false;           // nothing follows any more
};

Result<void> Surveyor::read_header(FoundFile& found) {
  auto file = io_.open(found.path, OpenMode::kRead);
  if (!file) return unreadable(found.path, file.error());
  found.file = std::move(*file);
  auto header = read_segment_header(*found.file);
  if (!header) return unreadable(found.path, header.error());
  found.header = *header;
  if (found.header && found.header->format != kFormatVersion)
    return unsupported(found.path, found.header->format);
  return {};
}

// The store's secret, from the newest sound header. false: files were settled otherwise.
Result<bool> Surveyor::take_last_header() {
  auto& last = found_.back();
  if (auto done = read_header(last); !done) return std::unexpected(done.error());
  if (!last.header) {
    auto half_made = is_half_made(last);
    if (!half_made) return std::unexpected(half_made.error());
    if (!*half_made) {
      settle(FoundFiles::kHeaderDamaged, last.path + " has no sound header");
      return false;
    }
    survey_.half_made.push_back(last.path);
    found_.pop_back();
    if (found_.empty()) {
      settle(FoundFiles::kOneHalfMade);
      return false;
    }
    if (auto done = read_header(found_.back()); !done) return std::unexpected(done.error());
  }
  const auto& newest = found_.back();
  if (!newest.header) {
    settle(FoundFiles::kHeaderDamaged, newest.path + " has no sound header");
    return false;
  }
  survey_.seed = newest.header->seed;
  survey_.store_id = newest.header->store_id;
  return true;
}

Result<void> Surveyor::open_all(const std::vector<std::uint32_t>& numbers) {
  for (const auto number : numbers) found_.push_back({.number = number, .path = path_of(number)});
  auto taken = take_last_header();
  if (!taken) return std::unexpected(taken.error());
  if (!*taken) return {};
  settle(FoundFiles::kSound);
  for (auto& found : found_) {
    if (!found.file) {
      auto file = io_.open(found.path, OpenMode::kRead);
      if (!file) return unreadable(found.path, file.error());
      found.file = std::move(*file);
    }
    auto tail = read_footer_tail(*found.file, found.number, survey_.seed);
    if (!tail) return unreadable(found.path, tail.error());
    found.tail = *tail;
    if (found.tail && found.tail->format != kFormatVersion)
      return unsupported(found.path, found.tail->format);
    if (found.tail) {
      found.file.reset();  // opened again when it is read
      continue;
    }
    if (auto done = reopen_unsealed(found); !done) return done;
    if (survey_.files != FoundFiles::kSound) return {};
  }
  if (found_.back().tail)
    settle(FoundFiles::kLastSealed,
           found_.back().path + " is sealed, and the segment behind it is gone");
  return {};
}

Result<void> Surveyor::reopen_unsealed(FoundFile& found) {
  const bool writes = options_.access == Access::kReadWrite;
  if (!found.header)
    if (auto done = read_header(found); !done) return done;
  if (writes) {
    auto file = io_.open(found.path, OpenMode::kReadWrite);
    if (!file) return unreadable(found.path, file.error());
    found.file = std::move(*file);
  }
  if (!found.header) {
    settle(FoundFiles::kHeaderDamaged, found.path + " has no sound header");
    return {};
  }
  if (found.header->number != found.number || found.header->store_id != survey_.store_id ||
      found.header->seed != survey_.seed) {
    settle(FoundFiles::kForeign, found.path + " belongs to another store or has another number");
    return {};
  }
  // Writes of a killed predecessor may still be on their way to the device.
  auto locked =
      found.file->lock(writes ? LockMode::kExclusive : LockMode::kShared, kPredecessorWait);
  if (!locked) return unreadable(found.path, locked.error());
  if (!*locked)
    return std::unexpected(
        Error{.code = ErrorCode::kLocked,
              .message = found.path + " is still written by another process: try again"});
  if (auto synced = found.file->sync(); !synced) return unreadable(found.path, synced.error());
  return {};
}

Result<void> Surveyor::follow() {
  for (auto& found : found_) {
    auto done = found.tail ? follow_sealed(found) : follow_unsealed(found);
    if (!done) return done;
    if (survey_.files != FoundFiles::kSound) return {};
  }
  ESDB_CHECK(!survey_.unsealed.empty());
  // The open one: the last that holds a frame, or the first behind the last sealed one.
  auto& unsealed = survey_.unsealed;
  survey_.open = unsealed.size() - 1;
  const auto last_sealed = [&] {
    for (auto i = found_.size(); i-- > 0;)
      if (found_[i].tail) return found_[i].number;
    return std::uint32_t{0};
  }();
  while (survey_.open > 0 && unsealed[survey_.open].segment->frame_count() == 0 &&
         unsealed[survey_.open - 1].segment->number() > last_sealed)
    --survey_.open;
  survey_.end = before_;
  const auto open = unsealed[survey_.open].segment->number();
  std::erase_if(survey_.sealed_or_full,
                [open](const Segment& segment) { return segment.number > open; });
  return {};
}

Result<void> Surveyor::follow_sealed(const FoundFile& found) {
  const auto& tail = *found.tail;
  const auto last_frame = tail.first_frame + tail.frame_count - 1;
  claim(last_frame, "the footer of " + found.path);
  const bool follows = tail.first_frame == before_.frame_number + 1 &&
                       tail.first_position == before_.last.value + 1 &&
                       tail.first_epoch_id == before_.epoch_id;
  if (!follows && !broken_) {
    // Behind an unsealed segment it shows what that one lacks; else it is a stranger.
    const bool shows_loss = !survey_.sealed_or_full.empty() &&
                            survey_.sealed_or_full.back().open != nullptr &&
                            last_frame > before_.frame_number;
    if (!shows_loss)
      settle(FoundFiles::kForeign, found.path + " does not begin where the segment before it ends");
    broken_ = true;
  }
  if (broken_) return {};
  before_ = {.last = tail.first_position + tail.event_count - 1,
             .frame_number = last_frame,
             .epoch_id = tail.last_epoch_id,
             .commit_time = tail.last_commit_time};
  survey_.sealed_or_full.push_back(segment_of(tail));
  survey_.sealed_bytes += tail.frames_end;
  return {};
}

Result<void> Surveyor::follow_unsealed(FoundFile& found) {
  auto arena = ArenaPool::take_beyond(arenas_, found.header->segment_bytes);
  if (!arena) return unreadable(found.path, IoError{ENOMEM});
  SurveyedSegment surveyed;
  surveyed.segment =
      std::make_shared<OpenSegment>(*found.header, std::move(found.file), std::move(arena));
  auto& segment = *surveyed.segment;
  segment.begin(before_);
  auto read = read_image(segment);
  if (!read) return unreadable(found.path, read.error());
  surveyed.file_bytes = read->file_bytes;
  surveyed.written_to = read->written_to;
  auto witness = read_witness(segment.file(), segment.header());
  if (!witness) return unreadable(found.path, witness.error());
  surveyed.witness = *witness;
  if (*witness) claim((*witness)->witness.durable_frame, "a witness in " + found.path);

  const auto frames = survey_frames(segment, surveyed.written_to, broken_);
  if (frames.format_unknown != 0) return unsupported(found.path, frames.format_unknown);
  surveyed.stopped_by = frames.stopped_by;
  claim(frames.claimed, "a frame in " + found.path);
  if (!broken_)
    before_ = {.last = segment.last(),
               .frame_number = segment.last_frame(),
               .epoch_id = segment.epoch_id(),
               .commit_time = segment.commit_time()};
  survey_.sealed_or_full.push_back(segment_of(surveyed.segment));
  survey_.unsealed.push_back(std::move(surveyed));
  return {};
}

}  // namespace

Result<Survey> survey_log(Io& io, const SurveyOptions& options,
                          const std::shared_ptr<ArenaPool>& arenas) {
  return Surveyor(io, options, arenas).run();
}

}  // namespace esdb::storage
