#include "storage/recovery.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "storage/check.h"
#include "storage/frame_check.h"
#include "storage/log_state.h"
#include "storage/opening_error.h"
#include "storage/recovery_survey.h"
#include "storage/recovery_table.h"
#include "storage/sabotage.h"
#include "storage/segment_file.h"
#include "storage/store_lock.h"

namespace esdb::storage {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSegmentsBeforeGrowth = 4;

std::unexpected<Error> error(ErrorCode code, std::string message) {
  return std::unexpected(Error{.code = code, .message = std::move(message)});
}

constexpr std::string_view kMend = "mend the device and open it again";

std::unexpected<Error> io_failed(const std::string& what, IoError cause) {
  return opening_failed(what, cause, kMend);
}

// Arenas hold at most three eighths of the memory, where the segments allow it.
std::size_t arenas_for(const LogOptions& options) {
  const auto segment = segment_bytes_for(options, kSegmentsBeforeGrowth);
  return std::clamp<std::size_t>(options.memory * 3 / 8 / segment, 2, 3);
}

Result<void> choose_unit(Log::State& state) {
  const auto& options = state.options;
  state.blocks = state.io.block_sizes(options.directory);
  const auto unit = options.write_unit == 0 ? state.blocks.physical : options.write_unit;
  if ((unit & (unit - 1)) != 0 || unit < state.blocks.alignment || unit < sizeof(FrameHeader) ||
      unit > 64 * 1024)
    return error(ErrorCode::kInvalidArgument,
                 "write_unit is " + std::to_string(unit) + ": give a power of two from " +
                     std::to_string(std::max<std::size_t>(state.blocks.alignment, 512)) +
                     " (what direct I/O allows here) to 65536");
  state.blocks.physical = std::max(state.blocks.physical, unit);
  state.unit_bytes = static_cast<std::uint32_t>(unit);
  return {};
}

Result<void> check_options(const LogOptions& options) {
  const auto bytes = options.segment_bytes;
  if (bytes != 0 &&
      ((bytes & (bytes - 1)) != 0 || bytes < kSegmentBytesFloor || bytes > kSegmentBytesMax))
    return error(ErrorCode::kInvalidArgument, "segment_bytes is " + std::to_string(bytes) +
                                                  ": give 0 or a power of two from " +
                                                  std::to_string(kSegmentBytesFloor) + " to " +
                                                  std::to_string(kSegmentBytesMax));
  if (options.append_bytes_max > append_bytes_cap(options))
    return error(ErrorCode::kInvalidArgument,
                 "append_bytes_max is " + std::to_string(options.append_bytes_max) + ": at most " +
                     std::to_string(append_bytes_cap(options)) +
                     (bytes == 0 ? "" : ", a quarter of segment_bytes"));
  return {};
}

// An open for writing: everything below it is on stable storage when it serves.
class Opening {
 public:
  Opening(Io& io, const LogOptions& options)
      : state_(std::make_unique<Log::State>(io, options)), io_(io), options_(state_->options) {}

  Result<std::unique_ptr<Log>> run();

 private:
  Result<void> prepare_directory();
  Result<bool> index_exists();
  Result<Verdict> judge();
  Result<std::unique_ptr<Log>> act(Verdict verdict);
  Result<void> make_store();
  Result<void> mend();
  Result<void> cut(SurveyedSegment& surveyed);
  Result<void> drop_small_segments();
  void install();
  bool is_clean() const;
  // Not every append fits it.
  bool is_small(const OpenSegment& segment) const {
    return segment.header().segment_bytes < 4 * options_.append_bytes_max;
  }
  std::string log_gone() const {
    return "it has an index but no log: " + state_->directory + " was deleted";
  }
  std::string damage() const;
  std::unexpected<Error> refuse(std::string_view what) const;

  std::unique_ptr<Log::State> state_;
  Io& io_;
  const LogOptions& options_;
  Survey survey_{};
  DurableClaim claimed_{};
};

Result<void> Opening::prepare_directory() {
  auto exists = io_.exists(options_.directory);
  if (!exists)
    return directory_failed(options_.directory + " cannot be looked at", exists.error(), kMend);
  const bool makes = options_.access == Access::kReadWrite && options_.create == Create::kIfMissing;
  if (!makes) {
    auto log = io_.exists(state_->directory);
    if (!log)
      return directory_failed(state_->directory + " cannot be looked at", log.error(), kMend);
    if (*log) return {};
    const auto index = index_exists();
    if (!index) return std::unexpected(index.error());
    if (*index) return refuse(log_gone());
    return error(ErrorCode::kInvalidArgument, "there is no store in " + options_.directory);
  }
  auto made = io_.make_directory(state_->directory);
  if (made) made = io_.sync_directory(options_.directory);
  if (!made) return directory_failed(state_->directory + " cannot be made", made.error(), kMend);
  return {};
}

Result<bool> Opening::index_exists() {
  const auto path = options_.directory + "/index";
  auto exists = io_.exists(path);
  if (!exists) return io_failed(path + " cannot be looked at", exists.error());
  return *exists;
}

// Whether nothing needs to be written: zeros behind X - 1, and a witness that says X - 1.
bool Opening::is_clean() const {
  if (!survey_.half_made.empty()) return false;
  std::uint64_t witnessed = 0;
  for (const auto& surveyed : survey_.unsealed) {
    const auto& segment = *surveyed.segment;
    if (surveyed.file_bytes < segment.header().segment_bytes) return false;
    if (surveyed.written_to > segment.used() &&
        !all_zero(segment.image().subspan(segment.used(), surveyed.written_to - segment.used())))
      return false;
    if (surveyed.witness) witnessed = std::max(witnessed, surveyed.witness->witness.durable_frame);
  }
  return witnessed == survey_.end.frame_number;
}

Result<Verdict> Opening::judge() {
  auto survey = survey_log(
      io_, {.directory = state_->directory, .access = options_.access, .log = options_.log},
      state_->arenas);
  if (!survey) return std::unexpected(survey.error());
  survey_ = std::move(*survey);
  const auto index = index_exists();
  if (!index) return std::unexpected(index.error());
  Evidence evidence{.files = survey_.files,
                    .index_exists = *index,
                    .access = options_.access,
                    .create = options_.create};
  if (survey_.files == FoundFiles::kSound) {
    claimed_ = survey_.claimed;
    const auto indexed = options_.indexed_frame
                             ? options_.indexed_frame({.store_id = survey_.store_id,
                                                       .seed = survey_.seed,
                                                       .last_epoch_id = survey_.end.epoch_id})
                             : 0;
    if (indexed > claimed_.frame) claimed_ = {indexed, "the index"};
    evidence.claims = claimed_.frame > survey_.end.frame_number ? Claims::kReach : Claims::kBelow;
    evidence.rest = is_clean() ? Rest::kClean : Rest::kDirty;
  }
  return decide(evidence);
}

std::unexpected<Error> Opening::refuse(std::string_view what) const {
  return error(ErrorCode::kRefused,
               "the store in " + options_.directory + " was not opened: " + std::string(what) +
                   ". Nothing was written. Look at it with `esctl verify`, and restore it from a "
                   "backup; without one, `esctl repair` says what can be kept");
}

// Where frame X should be.
std::string Opening::damage() const {
  const auto& unsealed = survey_.unsealed;
  const auto last_frame = survey_.end.frame_number;
  const SurveyedSegment* place = nullptr;
  for (const auto& surveyed : unsealed) {
    if (surveyed.segment->last_frame() != last_frame) continue;
    const bool is_cut = surveyed.file_bytes < surveyed.segment->header().segment_bytes;
    if (place == nullptr || place->stopped_by == "zeros") place = &surveyed;
    if (is_cut) break;
  }
  ESDB_CHECK(place != nullptr);
  const auto& segment = *place->segment;
  return "acknowledged data is damaged or missing: " + claimed_.by + " says that frames up to " +
         std::to_string(claimed_.frame) + " were durable, but at offset " +
         std::to_string(segment.used()) + " of " + segment_name(segment.number()) +
         ", where frame " + std::to_string(last_frame + 1) + " with positions from " +
         std::to_string(survey_.end.last.value + 1) + " on should be, there is " +
         (place->stopped_by == "zeros" ? "nothing" : place->stopped_by);
}

Result<std::unique_ptr<Log>> Opening::act(Verdict verdict) {
  switch (verdict) {
    case Verdict::kMakeStore:
      if (auto made = make_store(); !made) return std::unexpected(made.error());
      return std::make_unique<Log>(std::move(state_));
    case Verdict::kNoStore:
      return error(ErrorCode::kInvalidArgument, "there is no store in " + options_.directory);
    case Verdict::kMend:
      if (auto mended = mend(); !mended) return std::unexpected(mended.error());
      [[fallthrough]];
    case Verdict::kServe:
      if (options_.access == Access::kReadWrite)
        if (auto dropped = drop_small_segments(); !dropped) return std::unexpected(dropped.error());
      install();
      return std::make_unique<Log>(std::move(state_));
    case Verdict::kRefuseLogGone:
      return refuse(log_gone());
    case Verdict::kRefuseDamage:
      return refuse(damage());
    case Verdict::kRefuseMissing:
    case Verdict::kRefuseForeign:
    case Verdict::kRefuseLastSealed:
    case Verdict::kRefuseHeader:
      return refuse(survey_.objection);
  }
  ESDB_CHECK(false);
  std::unreachable();
}

Result<void> Opening::make_store() {
  io_.random(state_->store_id);
  state_->store_id[6] = (state_->store_id[6] & std::byte{0x0f}) | std::byte{0x40};  // UUID, random
  state_->store_id[8] = (state_->store_id[8] & std::byte{0x3f}) | std::byte{0x80};
  io_.random(std::as_writable_bytes(std::span(&state_->seed, 1)));
  SegmentHeader header{.number = 1,
                       .store_id = state_->store_id,
                       .seed = state_->seed,
                       .segment_bytes = segment_bytes_for(options_, 0),
                       .block_bytes = static_cast<std::uint32_t>(state_->blocks.physical),
                       .unit_bytes = state_->unit_bytes};
  auto file = make_segment(io_, state_->directory, header);
  if (!file) return io_failed("the first segment cannot be made", file.error());
  auto arena = ArenaPool::take(state_->arenas, header.segment_bytes);
  if (!arena) return io_failed("the first segment cannot be made", IoError{ENOMEM});
  state_->open = std::make_shared<OpenSegment>(header, std::move(*file), std::move(arena));
  state_->open->begin({});
  auto list = std::make_shared<SegmentList>();
  list->segments.push_back(segment_of(state_->open));
  state_->list = std::move(list);
  return {};
}

// Zeros on the device what is not zero behind the segment's last frame.
Result<void> Opening::cut(SurveyedSegment& surveyed) {
  auto& segment = *surveyed.segment;
  const auto& header = segment.header();
  auto begin = segment.used();
  auto end = surveyed.written_to;
  if (surveyed.file_bytes < header.segment_bytes) {
    // The first unit holds the header, which the image does not.
    begin = std::clamp<std::uint64_t>(surveyed.file_bytes / header.unit_bytes * header.unit_bytes,
                                      header.unit_bytes, begin);
    end = header.segment_bytes;
  }
  if (begin >= end) return {};
  if (surveyed.written_to > segment.used()) segment.clear_rest(surveyed.written_to);
  for (auto at = begin; at < end && !sabotaged(Sabotage::kTailNotZeroed); at += kMiB) {
    const auto part = segment.image().subspan(at, std::min<std::uint64_t>(kMiB, end - at));
    if (auto written = segment.file().write_durable(at, part); !written)
      return io_failed(segment_name(segment.number()) + " cannot be written", written.error());
  }
  if (options_.log)
    options_.log("cut " + std::to_string(end - begin) +
                 " bytes that were never acknowledged from " + segment_name(segment.number()) +
                 " at offset " + std::to_string(begin) + ": " + surveyed.stopped_by);
  return {};
}

// What is torn first, the witness last: a crash in between is mended as this one was.
Result<void> Opening::mend() {
  for (const auto& path : survey_.half_made) {
    auto removed = io_.remove(path);
    if (removed) removed = io_.sync_directory(state_->directory);
    if (!removed) return io_failed(path + " cannot be removed", removed.error());
  }
  for (auto& surveyed : survey_.unsealed)
    if (auto done = cut(surveyed); !done) return done;
  if (survey_.end.frame_number == 0) return {};
  auto& open = survey_.unsealed[survey_.open];
  std::uint64_t sequence = 0;
  for (const auto& surveyed : survey_.unsealed)
    if (surveyed.witness) sequence = std::max(sequence, surveyed.witness->witness.sequence);
  const auto which = open.witness ? 1 - open.witness->which : 0;
  const Witness witness{.durable_frame = survey_.end.frame_number, .sequence = sequence + 1};
  const auto& header = open.segment->header();
  if (auto written = write_witness(open.segment->file(), header, which, witness); !written)
    return io_failed("a witness cannot be written", written.error());
  open.witness = FoundWitness{witness, which};
  return {};
}

// Prepared by an opening that allowed only smaller appends: the background makes larger ones.
Result<void> Opening::drop_small_segments() {
  auto& unsealed = survey_.unsealed;
  const auto first =
      std::find_if(unsealed.begin() + static_cast<std::ptrdiff_t>(survey_.open) + 1, unsealed.end(),
                   [this](const SurveyedSegment& surveyed) { return is_small(*surveyed.segment); });
  while (first != unsealed.end()) {
    const auto path = state_->directory + "/" + segment_name(unsealed.back().segment->number());
    auto removed = io_.remove(path);
    if (removed) removed = io_.sync_directory(state_->directory);
    if (!removed) return io_failed(path + " cannot be removed", removed.error());
    const bool last = &*first == &unsealed.back();
    unsealed.pop_back();
    if (last) break;
  }
  return {};
}

void Opening::install() {
  auto& state = *state_;
  state.store_id = survey_.store_id;
  state.seed = survey_.seed;
  auto list = std::make_shared<SegmentList>();
  list->segments = std::move(survey_.sealed_or_full);
  ESDB_CHECK(!list->segments.empty());
  state.list = std::move(list);
  auto& unsealed = survey_.unsealed;
  state.open = unsealed[survey_.open].segment;
  ESDB_CHECK(state.list->segments.back().open == state.open);
  for (auto i = survey_.open + 1; i < unsealed.size(); ++i)
    state.prepared.push_back(unsealed[i].segment);
  std::uint64_t bytes = survey_.sealed_bytes;
  for (std::size_t i = 0; i <= survey_.open; ++i) bytes += unsealed[i].segment->used();
  state.bytes.store(bytes, std::memory_order_relaxed);
  state.durable_frame.store(survey_.end.frame_number, std::memory_order_release);
  state.durable_epoch = survey_.end.epoch_id;
  // Appends that do not fit an empty one either go into the next.
  state.wants_next = state.open->frame_count() > 0 || is_small(*state.open);
  for (const auto& surveyed : unsealed) {
    if (!surveyed.witness) continue;
    const auto& [witness, which] = *surveyed.witness;
    if (witness.sequence < state.witness_sequence) continue;
    state.witness_sequence = witness.sequence;
    state.witness_segment = surveyed.segment->number();
    state.witness_next = 1 - which;
    state.witness_frame = witness.durable_frame;
    state.witness_clean = witness.clean != 0;
  }
}

Result<std::unique_ptr<Log>> Opening::run() {
  if (auto sound = check_options(options_); !sound) return std::unexpected(sound.error());
  if (auto prepared = prepare_directory(); !prepared) return std::unexpected(prepared.error());
  auto lock = lock_store(io_, options_);
  if (!lock) return std::unexpected(lock.error());
  state_->lock = std::move(*lock);
  if (options_.access == Access::kReadWrite)
    if (auto unit = choose_unit(*state_); !unit) return std::unexpected(unit.error());
  state_->arenas = std::make_shared<ArenaPool>(arenas_for(options_));
  auto verdict = judge();
  if (!verdict) return std::unexpected(verdict.error());
  return act(*verdict);
}

}  // namespace

std::size_t append_bytes_cap(const LogOptions& options) {
  return options.segment_bytes == 0 ? kAppendBytesCap
                                    : std::min(kAppendBytesCap, options.segment_bytes / 4);
}

std::size_t segment_bytes_for(const LogOptions& options, std::uint64_t sealed) {
  if (options.segment_bytes != 0) return options.segment_bytes;
  const auto grown = options.memory < 128 * kMiB    ? 16 * kMiB
                     : options.memory <= 256 * kMiB ? 32 * kMiB
                                                    : 64 * kMiB;
  const auto wanted = sealed < kSegmentsBeforeGrowth ? 16 * kMiB : grown;
  return std::max(wanted, std::bit_ceil(4 * options.append_bytes_max));
}

Result<std::unique_ptr<Log>> open_log(Io& io, const LogOptions& options) {
  return Opening(io, options).run();
}

}  // namespace esdb::storage
