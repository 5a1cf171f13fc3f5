// The tail index: terms of the events that are not yet in the index on disk, as a list of
// generations. The newest is filled by the writer when it lays a commit out; at a frame boundary it
// is frozen; the indexer commits a frozen one to LMDB once it is durable, then drops it. A store in
// memory never drops one.
//
//   LMDB [1 .. 250,000]   generations [250,001 .. 400,000] [400,001 .. 410,000 .. 410,007]
//                                      frozen               newest     └durable    └laid out
//
// Invariants: generations are adjacent, oldest first. A generation's entries are published before
// the
//             log's durable position passes them; a reader ignores what lies above that.
// Threads:    "writer": the writer's driver. "indexer": its one thread. Else any thread: one writer
//             and many readers share the newest generation by release and acquire, without locks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "storage/log.h"
#include "storage/term.h"

namespace esdb::storage {

class Generation;
using Generations = std::vector<std::shared_ptr<const Generation>>;  // oldest first

// Terms lie all over memory. Where many are looked up, what a look-up touches is brought while
// those before it are worked on: first the pointer (a slot of a table, a node), and some look-ups
// later what it points at.
enum class Prefetch : std::uint8_t { kPointer, kPointee };
// To be called before each of `count` look-ups in turn, of which `at` is next.
// `prefetch(i, what)`: for a later one.
void look_ahead(std::size_t at, std::size_t count, const auto& prefetch) {
  constexpr std::size_t kAhead = 8;
  if (at == 0)
    for (std::size_t i = 1; i < count && i < 2 * kAhead; ++i) prefetch(i, Prefetch::kPointer);
  if (at + 2 * kAhead < count) prefetch(at + 2 * kAhead, Prefetch::kPointer);
  if (at + kAhead < count) prefetch(at + kAhead, Prefetch::kPointee);
}

struct IndexedEvent {
  Position position{};
  Version version{};
  TermRef stream{};
  TermRef category{};
  TermRef type{};
  std::span<const TermRef> tags{};
};

struct StreamHead {
  Version version{};
  Position last{};
};

struct TailOptions {
  // A store without files: nothing is ever committed to an index on disk, so that one generation
  // holds everything.
  bool keeps_everything = false;
  // Of a generation, in memory: the next one is filled while the index takes it.
  std::size_t generation_bytes = std::size_t{64} << 20;
  // Where the index on disk holds a part of a generation already: the first one ends with this
  // frame as it did before. 0: it ends where it may.
  std::uint64_t first_end = 0;
};

// A generation: at most so many events, and at most so old.
inline constexpr std::uint64_t kGenerationEventsMax = 400'000;
inline constexpr std::chrono::seconds kGenerationAgeMax{2};

class TailIndex {
 public:
  // `indexed`: the frame up to which the index on disk holds everything.
  explicit TailIndex(const FrameMark& indexed, const TailOptions& options = {});
  ~TailIndex();
  TailIndex(const TailIndex&) = delete;
  TailIndex& operator=(const TailIndex&) = delete;

  // ---- writer
  void add(const IndexedEvent& event);
  void add_tracking(std::string_view source, std::uint64_t position);
  void add_epoch(const Uuid& epoch_id);
  // `log_bytes`: that the frame takes in the log.
  void end_frame(const FrameMark& mark, std::size_t log_bytes = 0);
  // Freezes the newest generation behind the last ended frame when it is full or old enough for the
  // index (kGenerationEventsMax, kGenerationAgeMax, or the bytes it may have).
  void freeze_when_due(std::chrono::steady_clock::time_point now);
  void freeze();  // whatever it holds, when it holds anything
  // The same where the indexer has nothing to do: appends wait for room, and the frame has ended.
  void freeze_for_room();

  // The writer's view, laid-out and not yet durable events included. It changes only in the calls
  // above: a generation that the indexer drops stays in view until the writer's next one of them,
  // so that first_frame() and what is found agree with each other. Nothing: no generation names it.
  std::optional<StreamHead> stream_head(const TermRef& stream) const;
  void prefetch_head(const TermRef& term, Prefetch what) const;   // before stream_head()
  void prefetch_added(const TermRef& term, Prefetch what) const;  // before add()
  std::optional<std::uint64_t> tracked(std::string_view source) const;
  // The last event above `after` that carries the term; 0: none of those in the generations does.
  Position last_above(const TermRef& term, Position after) const;
  // Everything behind this frame is in the generations (it is the last one that they do not hold):
  // what was prepared at an earlier one is prepared again.
  std::uint64_t first_frame() const;
  std::shared_ptr<const Generations> writers_generations() const;

  // ---- indexer
  std::shared_ptr<const Generation> oldest_frozen() const;
  void drop_oldest();

  // ---- any thread
  // When freeze_when_due() has something to do at the latest, as far as its last call knows.
  std::optional<std::chrono::steady_clock::time_point> next_due() const;
  std::shared_ptr<const Generations> generations() const;
  // Of all generations: appends wait above a budget.
  std::size_t bytes() const;
  std::size_t log_bytes() const;  // of the frames that are not in the index

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace esdb::storage
