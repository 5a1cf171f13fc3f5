// Log's background: the next segment, footers, witnesses, each a step that can be driven from a
// seed.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "storage/check.h"
#include "storage/footer.h"
#include "storage/footer_mending.h"
#include "storage/log.h"
#include "storage/log_state.h"
#include "storage/segment_file.h"
#include "storage/store_lock.h"

namespace esdb::storage {
namespace {

using Moment = std::chrono::steady_clock::time_point;

// A witness is written within 100 ms of the last acknowledgement.
constexpr auto kWitnessDelay = std::chrono::milliseconds(50);
constexpr auto kPrepareAgain = std::chrono::seconds(1);
constexpr std::uint64_t kZeroSlice = std::uint64_t{2} << 20;
constexpr auto kMendAgain = std::chrono::seconds(1);
constexpr auto kArenaPause = std::chrono::milliseconds(5);
constexpr std::uint64_t kTouchFirst = std::uint64_t{4} << 20;

std::unexpected<Error> device_failed(const std::string& what, std::uint32_t segment,
                                     IoError error) {
  return std::unexpected(
      Error{.code = ErrorCode::kReadOnly,
            .message = what + " of segment " + segment_name(segment) + " could not be written, " +
                       to_string(error) +
                       ": the store takes no more appends; mend the device and open "
                       "it again"});
}

}  // namespace

void Log::acknowledged(Moment now) {
  auto& state = *state_;
  std::lock_guard lock(state.mutex);
  if (!state.witness_due) state.witness_due = now + kWitnessDelay;
}

bool Log::disk_full() const {
  std::lock_guard lock(state_->mutex);
  return state_->disk_is_full;
}

std::optional<Moment> Log::next_due() const {
  const auto& state = *state_;
  if (state.options.access == Access::kReadOnly) return std::nullopt;
  std::lock_guard lock(state.mutex);
  const auto& segments = state.list->segments;
  const bool seals = std::any_of(segments.begin(), segments.end() - 1,
                                 [](const Segment& segment) { return segment.open != nullptr; });
  if (seals) return Moment::min();
  auto due = state.witness_due;
  if (state.prepared.empty() && state.wants_next) {
    const auto prepare = state.prepare_again.value_or(Moment::min());
    due = due ? std::min(*due, prepare) : prepare;
  }
  if (state.files.doubted_footer()) {
    const auto mend = state.mend_again.value_or(Moment::min());
    due = due ? std::min(*due, mend) : mend;
  }
  return due;
}

Result<bool> Log::background_step(Moment now) {
  auto& state = *state_;
  ESDB_CHECK(state.options.access == Access::kReadWrite);
  auto did = state.write_due_witness(now);
  if (did && !*did) did = state.seal_oldest();
  if (did && !*did) did = state.prepare_next(now);
  if (did && !*did) did = state.touch_ahead();
  if (did && !*did) did = state.mend_doubted_footer(now);
  return did;
}

Result<void> Log::close() {
  auto& state = *state_;
  if (state.options.access == Access::kReadOnly || !state.in_flight.empty()) return {};
  const bool said = state.witness_clean && state.witness_frame == durable_frame();
  if (said || durable_frame() == 0) return {};
  return state.put_witness(true);
}

Result<void> Log::State::put_witness(bool clean) {
  std::shared_ptr<OpenSegment> segment;
  {
    std::lock_guard lock_guard(mutex);
    segment = list->segments.back().open;
  }
  if (segment->number() != std::exchange(witness_segment, segment->number())) witness_next = 0;
  const auto frame = durable_frame.load(std::memory_order_acquire);
  const Witness witness{
      .clean = clean ? 1U : 0U, .durable_frame = frame, .sequence = ++witness_sequence};
  if (auto written = write_witness(segment->file(), segment->header(), witness_next, witness);
      !written)
    return device_failed("a witness", segment->number(), written.error());
  witness_next = 1 - witness_next;
  witness_frame = frame;
  witness_clean = clean;
  return {};
}

Result<bool> Log::State::write_due_witness(Moment now) {
  {
    std::lock_guard lock_guard(mutex);
    if (!witness_due || now < *witness_due) return false;
    witness_due.reset();
  }
  if (witness_frame == durable_frame.load(std::memory_order_acquire) && !witness_clean)
    return false;
  if (auto put = put_witness(false); !put) return std::unexpected(put.error());
  return true;
}

// A file that was removed or replaced below a running store keeps its descriptor: what is written
// to it would be acknowledged and gone. Whatever else stands in the way of looking is no proof of
// that.
Result<void> Log::State::check_in_place(const OpenSegment& segment) const {
  if (io.name() == "memory" || segment.frame_count() == 0) return {};
  const auto path = directory + "/" + segment_name(segment.number());
  const auto gone = [](const std::string& what) -> Result<void> {
    return std::unexpected(
        Error{.code = ErrorCode::kReadOnly,
              .message = what + " below the running store: it takes no more appends; end whatever "
                                "else uses the directory, put the file back, or restore the store "
                                "from a backup, and open it again"});
  };
  if (const auto lost = lost_lock(io, options.directory, *lock); !lost.empty()) return gone(lost);
  auto file = io.open(path, OpenMode::kRead);
  if (!file && file.error().number == ENOENT) return gone(path + " was removed");
  if (!file) return {};
  if (const auto size = (*file)->size(); size && *size < segment.header().segment_bytes)
    return gone(path + " was cut short");
  const auto last = segment.image().subspan(segment.frame_entry(segment.frame_count() - 1).offset,
                                            sizeof(FrameHeader));
  std::array<std::byte, sizeof(FrameHeader)> found;
  const auto count =
      (*file)->read(static_cast<std::uint64_t>(last.data() - segment.image().data()), found);
  if (count && (*count < found.size() || !std::ranges::equal(found, last)))
    return gone(path + " was replaced or changed");
  return {};
}

Result<bool> Log::State::seal_oldest() {
  const auto current = segments();
  const auto& all = current->segments;
  const auto full = std::find_if(all.begin(), all.end() - 1,
                                 [](const Segment& segment) { return segment.open != nullptr; });
  if (full == all.end() - 1) return false;
  if (auto there = check_in_place(*full->open); !there) return std::unexpected(there.error());
  // All of it is durable: its successor was rolled to, or found by recovery.
  auto tail = write_footer(*full->open);
  if (!tail) return device_failed("the footer", full->number, tail.error());
  auto sealed = std::make_shared<SegmentList>();
  std::shared_ptr<const SegmentList> replaced;  // may be the last to hold an arena
  {
    std::lock_guard lock_guard(mutex);
    *sealed = *list;
    sealed->segments[static_cast<std::size_t>(full - all.begin())] = segment_of(*tail);
    replaced = std::exchange(list, std::move(sealed));
  }
  return true;
}

bool Log::State::begin_next(Moment now, const SegmentList& current) {
  const SegmentHeader header{
      .number = current.segments.back().number + 1,
      .store_id = store_id,
      .seed = seed,
      .segment_bytes = segment_bytes_for(options, current.segments.size() - 1),
      .block_bytes = static_cast<std::uint32_t>(blocks.physical),
      .unit_bytes = unit_bytes};
  // All arenas are held by readers or wait to be sealed: one comes back soon.
  auto arena = ArenaPool::take(arenas, header.segment_bytes);
  if (!arena) {
    std::lock_guard lock_guard(mutex);
    prepare_again = now + kArenaPause;
    return false;
  }
  next_segment.reset(new Making{SegmentMaking(io, directory, header), std::move(arena)});
  return true;
}

// Slice by slice: a witness may be due in between.
Result<bool> Log::State::prepare_next(Moment now) {
  std::shared_ptr<const SegmentList> current;
  {
    std::lock_guard lock_guard(mutex);
    if (!prepared.empty() || !wants_next) return false;
    if (prepare_again && now < *prepare_again) return false;
    current = list;
  }
  if (!next_segment && !begin_next(now, *current)) return false;
  const auto header = next_segment->making.header();
  auto file = next_segment->making.step(kZeroSlice);
  if (file && !*file) return true;
  const auto made = std::move(next_segment);  // a file that failed is removed without the lock
  std::lock_guard lock_guard(mutex);
  if (!file) {
    // Nothing is wrong with the device, and nothing acknowledged is at stake: tried again.
    if (is_passing(file.error())) {
      prepare_again = now + kPrepareAgain;
      return false;
    }
    if (!is_full(file.error())) return device_failed("the beginning", header.number, file.error());
    if (!std::exchange(disk_is_full, true) && options.log)
      options.log("no space for the next segment of " + options.directory +
                  ": appends stop when the current one is full, reads go on");
    prepare_again = now + kPrepareAgain;
    return false;
  }
  if (std::exchange(disk_is_full, false) && options.log)
    options.log("space for the next segment of " + options.directory + " again");
  prepare_again.reset();
  prepared.push_back(
      std::make_shared<OpenSegment>(header, std::move(*file), std::move(made->arena)));
  return true;
}

// Makes pages present before the driver writes there: a little at first, so that a store that is
// hardly written to stays small; the rest once it is used.
bool Log::State::touch_ahead() {
  if (io.name() == "memory") return false;
  std::shared_ptr<OpenSegment> current, next;
  {
    std::lock_guard lock_guard(mutex);
    if (!wants_next) return false;
    current = list->segments.back().open;
    if (!prepared.empty()) next = prepared.front();
  }
  const auto some = bytes.load(std::memory_order_relaxed) < kTouchFirst / 2;
  for (auto* segment : {current.get(), next.get()}) {
    if (segment == nullptr) continue;
    const auto size = segment->image().size();
    const auto goal = std::min<std::uint64_t>(some ? kTouchFirst : size, size);
    auto& touched = touched_to[segment->number() % touched_to.size()];
    if (touched.segment != segment->number()) touched = {segment->number(), 0};
    if (touched.to >= goal || (some && segment == next.get())) continue;
    const auto end = std::min(touched.to + kTouchFirst, goal);
    segment->touch(touched.to, end);
    touched.to = end;
    return true;
  }
  return false;
}

// A footer that somebody found damaged. Nothing depends on it: whatever comes of it, appends go on.
bool Log::State::mend_doubted_footer(Moment now) {
  const auto number = files.doubted_footer();
  if (!number) return false;
  {
    std::lock_guard lock_guard(mutex);
    if (mend_again && now < *mend_again) return false;
    mend_again.reset();
  }
  const auto current = segments();
  const auto& all = current->segments;
  const auto found = std::ranges::find(all, *number, &Segment::number);
  ESDB_CHECK(found != all.end() && found->sealed != nullptr);
  const auto& segment = *found;
  const auto& tail = *segment.sealed;
  SegmentReader reader(segment,
                       {.last = tail.first_position + tail.event_count - 1,
                        .frame_number = tail.first_frame + tail.frame_count - 1},
                       seed, files);
  const auto name = segment_name(*number);
  auto mended = mend_footer(io, directory + "/" + name, reader, tail);
  if (!mended && mended.error().code == ErrorCode::kUnavailable) {
    std::lock_guard lock_guard(mutex);
    mend_again = now + kMendAgain;
    return false;
  }
  files.settle_doubt(*number, mended ? FileCache::Settled::kMended : FileCache::Settled::kHopeless);
  if (!mended)
    say("the footer of " + name + " stays damaged: " + mended.error().message);
  else if (*mended > 0)
    say("the footer of " + name + " was damaged: it was built anew from its frames");
  return true;
}

}  // namespace esdb::storage
