#include "storage/generations.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "storage/check.h"
#include "storage/generation.h"

namespace esdb::storage {

namespace {

constexpr std::size_t kFirstTableSlots = 256;

using SteadyTime = std::chrono::steady_clock::time_point;
constexpr SteadyTime kNever = SteadyTime::max();

}  // namespace

struct TailIndex::State {
  TailOptions options;

  // Writer.
  FrameMark last_mark;
  Generation* newest{};
  bool frame_open = false;
  std::shared_ptr<const Generations> writers_list;
  std::uint64_t writers_revision = 0;

  // Shared. The mutex is held for a few assignments.
  std::atomic<SteadyTime> due{kNever};  // of the newest, once it holds a frame
  mutable std::mutex mutex;
  std::shared_ptr<const Generations> list;  // guarded by mutex
  std::atomic<std::uint64_t> revision{0};   // of the list

  // Indexer: dropped, but perhaps still in a reader's or the writer's hands. Freed here, because
  // freeing takes longer than the writer may.
  std::vector<std::shared_ptr<const Generation>> dropped;

  void refresh() {
    if (writers_revision == revision.load(std::memory_order_acquire)) return;
    const std::lock_guard lock(mutex);
    writers_list = list;
    writers_revision = revision.load(std::memory_order_relaxed);
  }

  void publish(Generations generations) {  // with the mutex held
    list = std::make_shared<const Generations>(std::move(generations));
    revision.fetch_add(1, std::memory_order_release);
  }

  void begin_generation(std::size_t table_slots) {
    auto generation = std::make_shared<Generation>(last_mark, table_slots);
    Generation* next = generation.get();
    {
      const std::lock_guard lock(mutex);
      Generations generations = list ? *list : Generations{};
      generations.push_back(std::move(generation));
      publish(std::move(generations));
    }
    newest = next;
    due.store(kNever, std::memory_order_relaxed);
    refresh();
  }
};

TailIndex::TailIndex(const FrameMark& indexed, const TailOptions& options)
    : state_(std::make_unique<State>()) {
  state_->options = options;
  state_->last_mark = indexed;
  state_->begin_generation(kFirstTableSlots);
}

TailIndex::~TailIndex() = default;

void TailIndex::add(const IndexedEvent& event) {
  state_->frame_open = true;
  state_->newest->add(event);
}

void TailIndex::add_tracking(std::string_view source, std::uint64_t position) {
  state_->frame_open = true;
  state_->newest->add_tracking(source, position);
}

void TailIndex::add_epoch(const Uuid& epoch_id) {
  state_->frame_open = true;
  state_->newest->add_epoch(epoch_id);
}

void TailIndex::end_frame(const FrameMark& mark, std::size_t log_bytes) {
  state_->newest->end_frame(mark, log_bytes);
  state_->last_mark = mark;
  state_->frame_open = false;
  state_->refresh();
  if (mark.frame_number == state_->options.first_end) freeze();
}

void TailIndex::freeze_when_due(std::chrono::steady_clock::time_point now) {
  State& state = *state_;
  state.refresh();
  if (state.options.keeps_everything || state.frame_open) return;
  if (state.newest->end().frame_number == state.newest->begins_behind().frame_number) return;
  if (state.newest->end().frame_number < state.options.first_end) return;
  auto due = state.due.load(std::memory_order_relaxed);
  if (due == kNever) state.due.store(due = now + kGenerationAgeMax, std::memory_order_relaxed);
  const bool full = state.newest->events() >= kGenerationEventsMax || now >= due ||
                    state.newest->bytes() >= state.options.generation_bytes;
  if (full) freeze();
}

void TailIndex::freeze() {
  State& state = *state_;
  ESDB_CHECK(!state.frame_open);
  if (state.newest->end().frame_number == state.newest->begins_behind().frame_number) return;
  // As large as the last one needed: a table that grows holds up the writer.
  const std::size_t needed = std::bit_ceil(state.newest->term_count() * 2 + 2);
  state.begin_generation(std::max(kFirstTableSlots, needed));
}

void TailIndex::freeze_for_room() {
  State& state = *state_;
  state.refresh();
  if (!state.options.keeps_everything && state.writers_list->size() == 1) freeze();
}

std::optional<std::chrono::steady_clock::time_point> TailIndex::next_due() const {
  const auto due = state_->due.load(std::memory_order_relaxed);
  if (due == kNever) return std::nullopt;
  return due;
}

std::optional<StreamHead> TailIndex::stream_head(const TermRef& stream) const {
  const Generations& list = *state_->writers_list;
  for (auto at = list.rbegin(); at != list.rend(); ++at) {
    const TermNode* node = (*at)->find(stream);
    if (node == nullptr) continue;
    const std::uint32_t count = node->postings.count();
    if (count == 0) continue;
    return StreamHead{Version{node->first_version + count - 1},
                      Position{(*at)->base() + node->postings.last_of(count)}};
  }
  return std::nullopt;
}

void TailIndex::prefetch_head(const TermRef& term, Prefetch what) const {
  for (const auto& generation : *state_->writers_list) generation->prefetch(term, what);
}

void TailIndex::prefetch_added(const TermRef& term, Prefetch what) const {
  state_->newest->prefetch(term, what);
}

Position TailIndex::last_above(const TermRef& term, Position after) const {
  const Generations& list = *state_->writers_list;
  for (auto at = list.rbegin(); at != list.rend(); ++at) {
    const TermNode* node = (*at)->find(term);
    const std::uint32_t count = node == nullptr ? 0 : node->postings.count();
    if (count > 0) {
      const Position last = (*at)->base() + node->postings.last_of(count);
      return last > after ? last : Position{};
    }
    if ((*at)->base() <= after.value) break;
  }
  return Position{};
}

std::optional<std::uint64_t> TailIndex::tracked(std::string_view source) const {
  const Generations& list = *state_->writers_list;
  for (auto at = list.rbegin(); at != list.rend(); ++at)
    if (auto position = (*at)->newest_tracked(source)) return position;
  return std::nullopt;
}

std::uint64_t TailIndex::first_frame() const {
  return state_->writers_list->front()->begins_behind().frame_number;
}

std::shared_ptr<const Generations> TailIndex::writers_generations() const {
  return state_->writers_list;
}

std::shared_ptr<const Generation> TailIndex::oldest_frozen() const {
  std::erase_if(state_->dropped,
                [](const auto& generation) { return generation.use_count() == 1; });
  const auto list = generations();
  return list->size() > 1 ? list->front() : nullptr;
}

void TailIndex::drop_oldest() {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  ESDB_CHECK(state.list->size() > 1);
  Generations generations(state.list->begin() + 1, state.list->end());
  state.dropped.push_back(state.list->front());
  state.publish(std::move(generations));
}

std::shared_ptr<const Generations> TailIndex::generations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->list;
}

std::size_t TailIndex::bytes() const {
  std::size_t bytes = 0;
  for (const auto& generation : *generations()) bytes += generation->bytes();
  return bytes;
}

std::size_t TailIndex::log_bytes() const {
  std::size_t bytes = 0;
  for (const auto& generation : *generations()) bytes += generation->log_bytes();
  return bytes;
}

}  // namespace esdb::storage
