// Cursor: where a reader stands. Reading and subscribing are one thing; they differ in what happens
// at the end of the log.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "esdb/error.h"
#include "esdb/event.h"

namespace esdb {

template <class T>
using Completion = std::move_only_function<void(Result<T>)>;

inline constexpr std::chrono::milliseconds kForever = std::chrono::milliseconds::max();

// A position and what it is a position of: what a reader keeps to go on later. Given to another
// store, or to one since restored from an older backup, it is answered with kOtherStore.
struct Checkpoint {
  std::string store_id{};  // Statistics::store_id; needed unless position is 0
  // Of the frame that holds the position; empty = not compared, as where that frame is damaged.
  std::string epoch_id{};
  Position position{};  // 0 = the beginning, of any store
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// Where to begin. "After" names the last event already seen, in the direction of reading. A
// position or version beyond the end of the log or stream is answered with kOtherStore: it was
// written down elsewhere, or before a restore.
class Start {
 public:
  static Start beginning() { return Start{}; }  // backwards: at the newest
  static Start end();  // only what is written after the first next() found the end; forwards only
  static Start after(Position seen);    // 0 is the beginning
  static Start after(Checkpoint seen);  // position 0 is the beginning, of any store
  // For a query whose items all name the same one stream, and no category: kInvalidArgument
  // otherwise.
  static Start after_version(Version seen);
  static Start since(Time committed);  // the store's time, not the author's; forwards only

  enum class Kind : std::uint8_t { kBeginning, kEnd, kPosition, kCheckpoint, kVersion, kTime };
  Kind kind = Kind::kBeginning;
  std::uint64_t number = 0;  // kPosition, kVersion
  Time time{};               // kTime
  Checkpoint checkpoint{};   // kCheckpoint
};

enum class Direction : std::uint8_t { kForwards, kBackwards };

// What bounds a read, in either direction. The bounds hold together. What lies behind a bound is
// not considered: a checkpoint goes no further than `up_to` and `until`.
struct ReadOptions {
  Start start{};
  Direction direction = Direction::kForwards;
  std::uint64_t limit = ~std::uint64_t{0};  // events
  // No event above it. Default, and the most it can be: the durable position when the first next()
  // begins the read; a larger one is kOtherStore.
  std::optional<Position> up_to{};
  std::optional<Time> since{};  // only events committed at or after it
  std::optional<Time> until{};  // only events committed before it
};

struct NextOptions {
  std::size_t max_bytes = 256 * 1024;         // at least one event is given, whatever its size
  std::chrono::milliseconds wait = kForever;  // for something new, or for the server
  std::stop_token stop{};                     // ends the wait: kCancelled
};

// Some events in order, and how far the reader has come. A handle: copies share the bytes, which
// live until the last is gone. Any thread.
class Batch {
 public:
  class Iterator;
  Iterator begin() const;
  Iterator end() const;
  std::size_t size() const { return events_ ? events_->size() : 0; }
  bool empty() const { return size() == 0; }

  // Every event up to here (backwards: down to here) has been given out or does not match: the
  // checkpoint to keep once this batch is handled.
  Position considered() const { return progress_.considered.position; }
  const Checkpoint& checkpoint() const { return progress_.considered; }
  Position head() const { return progress_.head; }  // the durable position when it was made
  bool caught_up() const { return considered() >= head(); }  // forwards: nothing more just then
  std::uint64_t lag() const {                                // forwards: positions not considered
    return caught_up() ? 0 : head().value - considered().value;
  }
  Time considered_time() const { return progress_.considered_time; }  // commit time of considered()
  Time head_time() const { return progress_.head_time; }              // commit time of head()
  bool finished() const { return progress_.finished; }                // of a read: the last batch
  // Of a query whose items all name the same one stream, and no category: that stream's version, 0
  // = never written. A subscription's at head(); a read's where the read ends, whatever was written
  // since: what a check needs that rests on it.
  Version version() const { return progress_.version; }

  struct Progress {
    Checkpoint considered{};
    Position head{};
    Time considered_time{};  // the epoch's start where nothing is in the log
    Time head_time{};
    bool finished = false;
    Version version{};
  };
  using Events = std::vector<const RecordedEvent::Stored*>;
  Batch(std::shared_ptr<const Events> events, Progress progress)
      : events_(std::move(events)), progress_(std::move(progress)) {}
  const Progress& progress() const { return progress_; }

 private:
  std::shared_ptr<const Events> events_;
  Progress progress_;
};

class Batch::Iterator {
 public:
  using value_type = RecordedEvent;
  using difference_type = std::ptrdiff_t;
  explicit Iterator(const RecordedEvent::Stored* const* at = nullptr) : at_(at) {}
  RecordedEvent operator*() const { return RecordedEvent(*at_); }
  Iterator& operator++() {
    ++at_;
    return *this;
  }
  Iterator operator++(int) {
    auto old = *this;
    ++at_;
    return old;
  }
  friend bool operator==(Iterator, Iterator) = default;

 private:
  const RecordedEvent::Stored* const* at_;
};
inline Batch::Iterator Batch::begin() const {
  return Iterator(events_ ? events_->data() : nullptr);
}
inline Batch::Iterator Batch::end() const {
  return Iterator(events_ ? events_->data() + events_->size() : nullptr);
}

// One reader's place. Opening one cannot fail and does nothing yet: whatever is wrong is said by
// the first next(), which is also the one that looks where the log ends (for a read, and for a
// subscription that starts there).
//
// An error does not move the cursor: call next() again and it goes on where it stood, without gap
// or duplicate (a remote one reconnects, backing off while the server is away). Only
// kInvalidArgument, kCorrupt, kRefused, kOtherStore, kDenied, kUnsupported and kClosed will come
// again.
// Threads:  one at a time; cancel() from any.
// Lifetime: may outlive the store, and then answers kClosed.
class Cursor {
 public:
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;
  // A next() in flight is cancelled; its completion has run or will never run when this returns.
  ~Cursor();

  // The next events. A read gives finished() with its last batch, or with an empty one behind it,
  // and empty finished batches after that. A subscription waits at the end of the log; when `wait`
  // passes it gives an empty batch (whose considered() may still have moved).
  Result<Batch> next(const NextOptions& options = {});
  // The same without a thread that waits: `done` runs on the store's thread (or in advance()),
  // never inside this call while the store is open. At most one in flight.
  void next(const NextOptions& options, Completion<Batch> done);

  // Ends the next() that is in flight, if one is, with kCancelled. The cursor stays usable.
  void cancel();

  struct State;  // implement.h: for those who write an EventStore
  explicit Cursor(std::unique_ptr<State> state);

 private:
  std::unique_ptr<State> state_;
};

}  // namespace esdb
