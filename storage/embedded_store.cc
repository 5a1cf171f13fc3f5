#include "storage/embedded_store.h"

#include <algorithm>
#include <utility>

#include "protocol/encoded_append.h"
#include "protocol/refusal.h"
#include "storage/engine.h"
#include "storage/hex.h"
#include "storage/looking.h"
#include "storage/store_cursor.h"

namespace esdb::storage {
namespace {

using Clock = std::chrono::steady_clock;

// Between attempts to prepare while the index is rebuilt, or while the session has others there.
constexpr std::chrono::milliseconds kIndexPause{20};
// How often a caller that has to drive the store itself looks whether the queue has room.
constexpr std::chrono::milliseconds kQueuePause{1};
constexpr std::chrono::hours kPracticallyForever{24 * 365 * 10};

Error error_of(ErrorCode code, std::string message) {
  return {.code = code, .message = std::move(message)};
}

// A program's loop prepares by itself what takes a few look-ups; many of them, and queries, which
// may meet a disk, go to the thread that is there for it.
constexpr std::size_t kLoopLookupsMax = 16;
bool is_long(const Parts& parts) {
  return parts.events.size() + parts.checks.size() + parts.tracking.size() > kLoopLookupsMax ||
         std::ranges::any_of(parts.checks,
                             [](const Check& check) { return check.kind != Check::Kind::kStream; });
}

// The answer of a blocking append. Shared, because its caller may leave before it comes.
struct Waiting {
  Waiter waiter{};
  std::mutex mutex{};
  std::optional<Result<Appended>> answer{};
};

class EmbeddedStore final : public EventStore {
 public:
  explicit EmbeddedStore(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
  ~EmbeddedStore() override { engine_->close(); }

  using EventStore::append;
  Result<Appended> append(EncodedAppend append, const CallOptions& call) override;
  void append(EncodedAppend append, const CallOptions& call, Completion<Appended> done) override;

  Cursor read(Query query, const ReadOptions& options) override {
    return cursor(Reader(Reader::Kind::kRead, std::move(query), options));
  }
  Cursor subscribe(Query query, Start start) override {
    return cursor(
        Reader(Reader::Kind::kSubscription, std::move(query), {.start = std::move(start)}));
  }

  Result<StreamInfo> stream_info(std::string_view stream) override {
    return look([&](const Sources& s) { return storage::stream_info(s, stream); });
  }
  Result<StreamPage> streams(std::string_view prefix, std::string_view after,
                             std::size_t limit) override {
    return look([&](const Sources& s) { return storage::streams(s, {prefix, after, limit}); });
  }
  Result<TermPage> terms(TermKind kind, std::string_view prefix, std::string_view after,
                         std::size_t limit) override {
    return look([&](const Sources& s) { return storage::terms(s, kind, {prefix, after, limit}); });
  }
  Result<std::uint64_t> count(Query query, Position after) override {
    return look([&](const Sources& s) { return storage::count(s, query, after); });
  }
  Result<std::uint64_t> tracked(std::string_view source) override {
    return look([&](const Sources& s) { return storage::tracked(s, source); });
  }
  Result<TrackingPage> tracking(std::string_view prefix, std::string_view after,
                                std::size_t limit) override {
    return look([&](const Sources& s) { return storage::tracking(s, {prefix, after, limit}); });
  }
  Result<Statistics> statistics() override;

  int wake_fd() const override { return engine_->driver().wake_fd(); }
  void advance() override { engine_->advance(); }
  void close() override { engine_->close(); }

 private:
  Cursor cursor(Reader reader) {
    return Cursor(std::make_unique<StoreCursor>(engine_, std::move(reader)));
  }
  template <class Look>
  auto look(Look&& looking) -> decltype(looking(std::declval<const Sources&>())) {
    const auto entered = engine_->enter();
    if (!entered) return std::unexpected(error_of(ErrorCode::kClosed, "the store was closed"));
    return looking(engine_->sources());
  }
  Result<void> check(const EncodedAppend& append) const;
  RequestPtr request_of(EncodedAppend append, const CallOptions& call) const;
  Result<void> prepare_until(Request& request, const CallOptions& call) const;
  Result<void> put_until(RequestPtr& request) const;

  const std::shared_ptr<Engine> engine_;
};

// ---- appending

Result<void> EmbeddedStore::check(const EncodedAppend& append) const {
  const auto& options = engine_->options();
  if (engine_->is_read_only())
    return std::unexpected(error_of(ErrorCode::kReadOnly,
                                    "append: the store was opened read-only; open it for writing"));
  if (!append.parts)
    return std::unexpected(
        error_of(ErrorCode::kInvalidArgument, "append: it was never encoded or adopted"));
  const auto& parts = *append.parts;
  if (parts.event_bytes_max > options.event_bytes_max)
    return std::unexpected(error_of(ErrorCode::kTooLarge,
                                    "append: an event of " + std::to_string(parts.event_bytes_max) +
                                        " bytes encoded, and at most " +
                                        std::to_string(options.event_bytes_max) + " are accepted"));
  if (parts.event_bytes > options.append_bytes_max)
    return std::unexpected(error_of(
        ErrorCode::kTooLarge, "append: events of " + std::to_string(parts.event_bytes) +
                                  " bytes encoded together, and at most " +
                                  std::to_string(options.append_bytes_max) + " are accepted"));
  return {};
}

RequestPtr EmbeddedStore::request_of(EncodedAppend append, const CallOptions& call) const {
  auto request = std::make_unique<Request>();
  request->bytes = append.bytes().size();
  request->parts = std::move(append.parts);
  const auto timeout = call.timeout.count() != 0 ? call.timeout : engine_->options().timeout;
  request->deadline =
      timeout >= kPracticallyForever ? Clock::time_point::max() : Clock::now() + timeout;
  request->stop = call.stop;
  request->session = call.session;
  return request;
}

// A blocking caller prepares in its own thread, and waits there while the index is rebuilt. What
// came before it in its session and is still being prepared goes first.
Result<void> EmbeddedStore::prepare_until(Request& request, const CallOptions& call) const {
  for (;;) {
    Result<void> prepared = std::unexpected(
        error_of(ErrorCode::kTimedOut, "append: the deadline passed before it was taken up"));
    if (!engine_->preparer().holds_session(request.session)) {
      prepared = prepare(request, engine_->sources());
      if (prepared || prepared.error().code != ErrorCode::kUnavailable) return prepared;
    }
    if (Clock::now() >= request.deadline) return prepared;
    if (call.stop.stop_requested())
      return std::unexpected(error_of(ErrorCode::kCancelled, "append: stopped while it waited"));
    if (engine_->is_closing())
      return std::unexpected(error_of(ErrorCode::kClosed, "append: the store was closed"));
    std::this_thread::sleep_for(kIndexPause);
  }
}

// Where the program drives the store, nobody but this thread may be there to make room.
Result<void> EmbeddedStore::put_until(RequestPtr& request) const {
  const bool drives = engine_->options().drive == Drive::kCaller;
  const auto deadline = request->deadline;
  for (;;) {
    const auto until = drives ? std::min(deadline, Clock::now() + kQueuePause) : deadline;
    if (engine_->inbox().put_until(request, until)) return {};
    if (engine_->is_closing()) return std::unexpected(engine_->refused());
    if (request->stop.stop_requested())
      return std::unexpected(
          error_of(ErrorCode::kCancelled, "append: stopped while the queue was full"));
    if (Clock::now() >= deadline)
      return std::unexpected(
          error_of(ErrorCode::kTimedOut, "append: the deadline passed while the queue was full"));
    if (drives) engine_->driver().turn();
  }
}

Result<Appended> EmbeddedStore::append(EncodedAppend append, const CallOptions& call) {
  const auto entered = engine_->enter();
  if (!entered)
    return std::unexpected(error_of(ErrorCode::kClosed, "append: the store was closed"));
  if (engine_->completions().is_running_here())
    return std::unexpected(error_of(ErrorCode::kInvalidArgument,
                                    "append: a completion must not make a blocking call"));
  if (auto ok = check(append); !ok) return std::unexpected(ok.error());
  auto request = request_of(std::move(append), call);
  if (auto ok = prepare_until(*request, call); !ok) return std::unexpected(ok.error());

  auto waiting = std::make_shared<Waiting>();
  request->blocking = true;
  request->done = [waiting](Result<Appended> result) {
    {
      const std::lock_guard lock(waiting->mutex);
      waiting->answer = std::move(result);
    }
    waiting->waiter.fire();
  };
  const auto phase = std::make_shared<std::atomic<Request::Phase>>(Request::Phase::kQueued);
  request->phase = phase;
  const auto deadline = request->deadline;
  if (auto ok = put_until(request); !ok) return std::unexpected(ok.error());
  const auto end =
      engine_->driver().wait(waiting->waiter, deadline, call.stop, Driver::While::kAppending);
  {
    const std::lock_guard lock(waiting->mutex);
    if (waiting->answer) return std::move(*waiting->answer);
  }
  auto queued = Request::Phase::kQueued;
  const bool stopped = end == Driver::End::kStopped;
  if (phase->compare_exchange_strong(queued, Request::Phase::kAbandoned))
    return std::unexpected(
        stopped
            ? error_of(ErrorCode::kCancelled, "append: stopped before it was taken up")
            : error_of(ErrorCode::kTimedOut, "append: the deadline passed before it was taken up"));
  if (queued == Request::Phase::kRefused)
    return std::unexpected(
        error_of(stopped ? ErrorCode::kCancelled : ErrorCode::kTimedOut,
                 std::string("append: nothing was written; why it does not hold was not yet "
                             "durable when ") +
                     (stopped ? "it was stopped" : "the deadline passed")));
  return std::unexpected(error_of(
      ErrorCode::kOutcomeUnknown,
      std::string("append: ") + (stopped ? "stopped" : "the deadline passed") +
          " while it was being written; repeat it with the same ids to learn its outcome"));
}

void EmbeddedStore::append(EncodedAppend append, const CallOptions& call,
                           Completion<Appended> done) {
  auto& engine = *engine_;
  const auto entered = engine.enter();
  if (!entered)
    return done(std::unexpected(error_of(ErrorCode::kClosed, "append: the store was closed")));
  const auto refuse = [&](Error error) {
    engine.completions().put([done = std::move(done), error = std::move(error)]() mutable {
      done(std::unexpected(std::move(error)));
    });
  };
  if (auto ok = check(append); !ok) return refuse(ok.error());
  auto request = request_of(std::move(append), call);
  const bool elsewhere = engine.preparer().holds_session(call.session) ||
                         (engine.options().drive == Drive::kCaller && is_long(*request->parts));
  Result<void> prepared;
  if (!elsewhere) prepared = prepare(*request, engine.sources());
  const bool later = elsewhere || (!prepared && prepared.error().code == ErrorCode::kUnavailable);
  if (!prepared && !later) return refuse(prepared.error());
  if (later) {
    if (!engine.inbox().admit(*request)) return refuse(engine.refused());
    request->done = std::move(done);
    return engine.preparer().put(std::move(request));
  }
  request->done = std::move(done);
  if (!engine.inbox().put(request)) {
    done = std::move(request->done);
    return refuse(engine.refused());
  }
  engine.driver().requested();
}

// ---- looking

Result<Statistics> EmbeddedStore::statistics() {
  return look([this](const Sources& sources) -> Result<Statistics> {
    auto statistics = storage::statistics(sources);
    if (!statistics) return statistics;
    statistics->state = engine_->state();
    statistics->io = engine_->io_name();
    statistics->damaged_segments = engine_->damaged_segments();
    statistics->clock_behind =
        std::max(std::chrono::nanoseconds(0), statistics->last_committed - engine_->now());
    return statistics;
  });
}

Result<void> check_options(const OpenOptions& options) {
  const auto refuse = [](std::string message) -> Result<void> {
    return std::unexpected(error_of(ErrorCode::kInvalidArgument, "open: " + std::move(message)));
  };
  if (options.memory < kMemoryMin)
    return refuse("memory is " + std::to_string(options.memory) + " bytes, and at least " +
                  std::to_string(kMemoryMin) + " are needed");
  if (options.append_bytes_max > kAppendBytesCap)
    return refuse("append_bytes_max is above the cap of " + std::to_string(kAppendBytesCap));
  if (options.event_bytes_max > options.append_bytes_max)
    return refuse("event_bytes_max is above append_bytes_max");
  const auto segment = options.segment_bytes;
  if (segment != 0 &&
      (segment < kSegmentBytesMin || segment > kSegmentBytesMax || (segment & (segment - 1)) != 0))
    return refuse("segment_bytes is no power of two from " + std::to_string(kSegmentBytesMin) +
                  " to " + std::to_string(kSegmentBytesMax));
  return {};
}

Result<std::unique_ptr<EventStore>> open_engine(const std::string& directory,
                                                const OpenOptions& options, Io* machine) {
  if (auto ok = check_options(options); !ok) return std::unexpected(ok.error());
  auto engine = Engine::open(directory, options, machine);
  if (!engine) return std::unexpected(engine.error());
  return std::make_unique<EmbeddedStore>(std::move(*engine));
}

}  // namespace

Result<std::unique_ptr<EventStore>> open_directory(const std::string& directory,
                                                   const OpenOptions& options, Io* machine) {
  return open_engine(directory, options, machine);
}

Result<std::unique_ptr<EventStore>> open_memory(const OpenOptions& options) {
  return open_engine({}, options, nullptr);
}

}  // namespace esdb::storage
