// A request on its way through the engine: the append taken apart, what was looked up for it before
// it stood in the queue, and who waits for the answer.
//
// Threads: owned by one at a time (caller or preparer, then the writer's driver); `phase` is the
//          one word that both a waiting caller and the driver touch.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <stop_token>
#include <vector>

#include "esdb/append.h"
#include "esdb/cursor.h"
#include "protocol/encoded_append.h"
#include "storage/generations.h"
#include "storage/term.h"

namespace esdb::storage {

using Parts = EncodedAppend::Parts;

// A commit in the log, by the positions of its events.
struct CommitSpan {
  Position first{};
  Position last{};
};

// What a request names, looked up at one moment. True at least at `frame` and `position`; the
// writer judges what lies above them.
struct Prepared {
  Prepared() = default;
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  void clear();  // to be prepared again

  std::uint64_t frame{};
  Position position{};

  // Every stream the request writes or checks, once; those it writes first, in the order in which
  // its events name them.
  struct Stream {
    TermRef name{};
    TermRef category{};
    StreamHead head{};
  };
  // Small appends need no further block.
  std::array<std::byte, 256> small;
  std::pmr::monotonic_buffer_resource memory{small.data(), small.size()};
  std::pmr::vector<Stream> streams{&memory};

  struct Event {
    std::size_t stream{};  // into `streams`
    TermRef type{};
    std::span<const TermRef> tags{};  // into `tags`
  };
  std::pmr::vector<Event> events{&memory};
  std::pmr::vector<TermRef> tags{&memory};

  // Stream checks: which stream. Query checks: the first event up to `position` that violates it.
  struct OfCheck {
    std::size_t stream{};
    Position conflicting{};
  };
  std::pmr::vector<OfCheck> checks{&memory};
  std::pmr::vector<std::uint64_t> tracked{&memory};  // of each tracking source

  // Found through a violated check, in the log up to `position`: this request's own commit, or one
  // that holds one of its ids without being it.
  std::optional<CommitSpan> retry_of{};
  struct Conflict {
    EventId id{};
    Position position{};
  };
  std::optional<Conflict> id_conflict{};
  // A check looks beyond the log's end: the answer, unless it is a retry.
  std::optional<Error> other_store{};
  // The commit that Request::compare names was compared: one of the two above says the outcome.
  bool compared = false;
};

inline void Prepared::clear() {
  frame = 0;
  position = {};
  streams.clear();
  events.clear();
  tags.clear();
  checks.clear();
  tracked.clear();
  retry_of.reset();
  id_conflict.reset();
  other_store.reset();
  compared = false;
}

struct Request {
  std::shared_ptr<const Parts> parts{};
  Prepared prepared{};
  Completion<Appended> done{};  // run once; by the completion thread, or by advance()
  bool blocking = false;        // `done` only wakes the caller: run at once
  std::chrono::steady_clock::time_point deadline{};
  std::stop_token stop{};
  std::uint64_t session = 0;
  std::size_t bytes = 0;  // what it takes in the queue
  bool prepared_again = false;
  Position compare{};  // the writer's wish when it is: compare the commit that holds it; 0: none
  // Has a place in the inbox while it is elsewhere: prepared for the first time, or answered from
  // the log.
  bool admitted = false;
  std::optional<Error> failed{};  // why it could not be prepared again: its answer, in its turn

  // The answer's streams, made when it is prepared: the writer, who serves everybody, only fills in
  // their versions.
  std::vector<Appended::StreamVersion> written{};
  Result<Appended> answer{};  // what `done` is called with

  // Of a blocking append, null otherwise: a caller that gives up and the driver that takes it up
  // decide by one exchange who was first.
  enum class Phase : std::uint8_t {
    kQueued,
    kTaken,
    kRefused,  // nothing of it is written; its answer may wait for what it rests on
    kAbandoned,
  };
  std::shared_ptr<std::atomic<Phase>> phase{};
  bool is_abandoned() const { return phase && phase->load() == Phase::kAbandoned; }
  bool take_up(Phase as = Phase::kTaken) const {  // false: its caller gave up
    auto queued = Phase::kQueued;
    return !phase || phase->compare_exchange_strong(queued, as);
  }
  void put_back() const {  // it was taken up: else a caller that gave up would be overruled
    if (phase) phase->store(Phase::kQueued);
  }
};

using RequestPtr = std::unique_ptr<Request>;

}  // namespace esdb::storage
