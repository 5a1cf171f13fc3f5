// EventStore: one interface to an event store in this process, in memory, or behind a server.
//
//   auto store = esdb::open("./data").value();
//   store->append("order-1", Expect::none(),
//                 {{.type = "Placed", .data = R"({"total":12})"}}).value();
//   for (auto event : *store->read(stream("order-1")).next())
//     puts(std::string(event.data()).c_str());
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "esdb/append.h"
#include "esdb/cursor.h"
#include "esdb/error.h"
#include "esdb/limits.h"
#include "esdb/query.h"

namespace esdb {

class Clock;  // testing.h

enum class Create : std::uint8_t { kIfMissing, kNever };
enum class Access : std::uint8_t { kReadWrite, kReadOnly };
enum class Drive : std::uint8_t { kOwnThread, kCaller };

struct OpenOptions {
  // ---- every store
  std::chrono::milliseconds timeout = std::chrono::seconds(30);  // of calls that give none
  // kCaller: no thread drives the store; call advance() when wake_fd() is readable. Completions
  // then run inside advance(), and a blocking call made on that thread drives the store itself
  // while it waits.
  Drive drive = Drive::kOwnThread;
  // What a server would log, one line a call, from any thread. Without one the library is silent:
  // it never writes to a standard stream, installs no signal handler and starts its threads with
  // all signals blocked. It does not throw: an exception would end the process.
  std::function<void(std::string_view line)> log{};

  // ---- a directory (a server's own settings decide for its clients)
  Create create = Create::kIfMissing;  // a directory that holds no store
  // kReadOnly: what was durable when it opened; writes nothing, beside nobody who writes (kLocked).
  Access access = Access::kReadWrite;
  std::size_t memory = kMemoryDefault;  // bytes for arenas, ids, tail index, index transactions
  // Bytes a frame's start is aligned to. 0: the device's physical block. 512 only where the device
  // leaves neighbouring sectors whole when power fails during a write (docs/durability.md).
  std::size_t write_unit = 0;
  // Bytes of a new segment. 0: 16 MiB until four are sealed, then 64 MiB, less where `memory` is
  // small. Else a power of two in [kSegmentBytesMin, kSegmentBytesMax].
  std::size_t segment_bytes = 0;
  std::size_t event_bytes_max = kEventBytesDefault;
  std::size_t append_bytes_max = kAppendBytesDefault;
  std::string announce{};  // what whoever finds the directory locked is told: a server's URL

  // ---- memory:
  Clock* clock = nullptr;  // for tests. Not owned
};

struct CallOptions {
  std::chrono::milliseconds timeout{};  // 0 = OpenOptions::timeout
  std::stop_token stop{};
  // Appends of one session are taken up in the order they were made; those of different sessions
  // do not wait for each other. 0 = of none: a caller that waits for each answer needs no more.
  std::uint64_t session = 0;
};

struct StreamInfo {
  std::string name{};
  Version version{};        // of the last event; 0 = never written (an answer, not an error)
  Version first_version{};  // of the oldest event still kept
  Position last_position{};
  Time last_committed{};
};

struct StreamPage {
  std::vector<StreamInfo> streams{};  // by name, in byte order
  std::string next{};                 // pass as `after` for the next page; empty at the end
};

enum class TermKind : std::uint8_t { kCategory, kType, kTag };
struct TermPage {
  struct Term {
    std::string text{};
    std::uint64_t events{};
    Position last{};
  };
  std::vector<Term> terms{};  // by text, in byte order
  std::string next{};
};

struct TrackingPage {
  std::vector<Tracking> sources{};  // by source, in byte order
  std::string next{};
};

struct Statistics {
  std::string store_id{};  // made when the store was, kept through backup and restore
  std::string epoch_id{};  // of the newest epoch; empty before the first append
  std::string state{};     // "ready", "rebuilding: 42 %", "read_only: ...", "disk_full: ...",
                           // "corrupt: ..." (the index cannot be built from a damaged log)
  std::string io{};        // how it writes: "uring", "posix", "memory"
  Position durable{};      // everything up to it is on stable storage and visible
  Position indexed{};      // how far the index on disk has come
  // The system's streams are not counted; bytes are those of the log, as written.
  std::uint64_t events{}, streams{}, bytes{};
  std::uint64_t segments{};
  // In which reading everything again, once a week, found damage; `log` has said where. What they
  // hold answers kCorrupt, everything else is served.
  std::uint64_t damaged_segments{};
  Time last_committed{};
  std::chrono::nanoseconds clock_behind{};  // how far this machine's clock stands behind the last
                                            // commit; commit times stand still meanwhile
};

// Threads: every member from any thread, and from several at once, unless it says otherwise.
// Completions run on the store's thread (or in advance()), in log order for appends: they must be
// short, must not throw, and must not make a blocking call (which then answers kInvalidArgument
// rather than hang).
class EventStore {
 public:
  virtual ~EventStore() = default;  // as close()
  EventStore(const EventStore&) = delete;
  EventStore& operator=(const EventStore&) = delete;

  // ---- writing. Done means: on stable storage, and visible to every read that begins after.
  // A timeout or a stop before the request was taken up: kTimedOut, kCancelled, nothing written.
  // After that: kOutcomeUnknown. Keep the request, with its ids, to repeat it.
  Result<Appended> append(const AppendRequest& request, const CallOptions& call = {});
  // Events that name no stream go to this one, which `expect` is about.
  Result<Appended> append(std::string_view stream, Expect expect, std::vector<NewEvent> events,
                          const CallOptions& call = {});
  Result<Appended> append(std::string_view stream, NewEvent event, const CallOptions& call = {});
  virtual Result<Appended> append(EncodedAppend append, const CallOptions& call = {}) = 0;
  virtual void append(EncodedAppend append, const CallOptions& call, Completion<Appended> done) = 0;

  // ---- reading. A read ends at the durable position it found when it began, so it ends; a
  // subscription does not end.
  virtual Cursor read(Query query, const ReadOptions& options = {}) = 0;
  virtual Cursor subscribe(Query query, Start start = Start::beginning()) = 0;

  // Calls handler(event) for every event of a read; the event is valid during the call. A handler
  // that returns Result<void> ends the read with its error. The answer holds what a decision needs:
  // considered() and, for one stream, version().
  template <std::invocable<RecordedEvent> Handler>
  Result<Batch> for_each(Query query, const ReadOptions& options, Handler&& handler,
                         const CallOptions& call = {});

  // ---- looking. Pages are in byte order of the name and begin behind `after`; limits above
  // kPageMax give kPageMax, and 0 is kInvalidArgument. The system's streams are left out.
  virtual Result<StreamInfo> stream_info(std::string_view stream) = 0;
  virtual Result<StreamPage> streams(std::string_view prefix = {}, std::string_view after = {},
                                     std::size_t limit = 1000) = 0;
  // Categories, types or tags in use, by prefix: "what is in here?"
  virtual Result<TermPage> terms(TermKind kind, std::string_view prefix = {},
                                 std::string_view after = {}, std::size_t limit = 1000) = 0;
  // How many events above `after` match. Beyond the end of the log: kOtherStore.
  virtual Result<std::uint64_t> count(Query query, Position after = 0) = 0;
  virtual Result<std::uint64_t> tracked(std::string_view source) = 0;  // 0 = nothing yet
  virtual Result<TrackingPage> tracking(std::string_view prefix = {}, std::string_view after = {},
                                        std::size_t limit = 1000) = 0;
  virtual Result<Statistics> statistics() = 0;

  // ---- driving (Drive::kCaller)
  virtual int wake_fd() const = 0;  // readable when advance() has work; -1 with kOwnThread
  virtual void advance() = 0;

  // Ends every blocked call with kClosed, waits for appends that were taken up, then for
  // completions. Idempotent. Not from a completion. Cursors stay valid objects.
  virtual void close() = 0;

 protected:
  EventStore() = default;
};

// ./data | /abs/path | memory: | memory:NAME (shared in this process while open) | unix:PATH |
// esdb://HOST[:PORT] | esdbs://...  A server: one attempt of min(5 s, timeout), or kUnavailable.
Result<std::unique_ptr<EventStore>> open(std::string_view url, const OpenOptions& options = {});

template <std::invocable<RecordedEvent> Handler>
Result<Batch> EventStore::for_each(Query query, const ReadOptions& options, Handler&& handler,
                                   const CallOptions& call) {
  auto cursor = read(std::move(query), options);
  for (;;) {
    // Large batches: whoever reads through a handler does not hold more than one.
    auto batch = cursor.next({.max_bytes = kBatchBytesMax,
                              .wait = call.timeout.count() ? call.timeout : kForever,
                              .stop = call.stop});
    if (!batch) return batch;
    for (auto event : *batch) {
      if constexpr (std::is_void_v<std::invoke_result_t<Handler&, RecordedEvent>>) {
        handler(event);
      } else if (auto handled = handler(event); !handled) {
        return std::unexpected(handled.error());
      }
    }
    if (batch->finished()) return batch;
  }
}

}  // namespace esdb
