#include "client/remote_store.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "client/inside.h"
#include "client/remote_cursor.h"
#include "client/shared.h"
#include "protocol/wire.h"

namespace esdb::client {
namespace {

constexpr std::size_t kCallBytes = 512;  // what a call takes besides its append
constexpr std::chrono::milliseconds kLongest = std::chrono::days{365};

Deadline deadline_in(std::chrono::milliseconds timeout) {
  return std::chrono::steady_clock::now() + std::min(timeout, kLongest);
}

Error stopped_before() {
  return {.code = ErrorCode::kCancelled,
          .message = "the caller stopped the append before it was sent: nothing was written"};
}

Error queue_is_full() {
  return {.code = ErrorCode::kOverloaded,
          .message = "too many appends wait for their answers: wait for some of them"};
}

void cancel_call(Inside& inside, std::uint64_t id, std::uint64_t) { inside.calls.cancel(id); }

template <class T>
using Done = std::shared_ptr<std::move_only_function<void(Result<T>)>>;
template <class T>
Done<T> share(std::move_only_function<void(Result<T>)> done) {
  return std::make_shared<std::move_only_function<void(Result<T>)>>(std::move(done));
}

// Waits for a result and passes it on; an error goes back to the list of calls, which knows whether
// it settles the call.
template <class T, class Results, class Get>
Call::Sent take(capnp::RemotePromise<Results> promise, Done<T> done, Get get) {
  return promise.then([done, get](capnp::Response<Results> results) -> std::optional<Error> {
    if (results.isError()) return protocol::get(results.getError());
    (*done)(get(results));
    return std::nullopt;
  });
}

template <class T>
Call make_call(
    Deadline deadline, Done<T> done,
    std::move_only_function<Call::Sent(protocol::Session::Client&, std::chrono::milliseconds)>
        send) {
  return {.send = std::move(send),
          .fail = [done](Error error) { (*done)(std::unexpected(std::move(error))); },
          .deadline = deadline};
}

class RemoteStore final : public EventStore {
 public:
  explicit RemoteStore(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  ~RemoteStore() override { close(); }

  using EventStore::append;
  Result<Appended> append(EncodedAppend append, const CallOptions& call) override;
  void append(EncodedAppend append, const CallOptions& call, Completion<Appended> done) override;

  Cursor read(Query query, const ReadOptions& options) override {
    return Cursor(std::make_unique<RemoteCursor>(
        shared_, CursorRequest{.query = std::move(query), .options = options}));
  }
  Cursor subscribe(Query query, Start start) override {
    return Cursor(std::make_unique<RemoteCursor>(
        shared_, CursorRequest{.query = std::move(query),
                               .subscribes = true,
                               .options = {.start = std::move(start)}}));
  }

  Result<StreamInfo> stream_info(std::string_view stream) override;
  Result<StreamPage> streams(std::string_view prefix, std::string_view after,
                             std::size_t limit) override;
  Result<TermPage> terms(TermKind kind, std::string_view prefix, std::string_view after,
                         std::size_t limit) override;
  Result<std::uint64_t> count(Query query, Position after) override;
  Result<std::uint64_t> tracked(std::string_view source) override;
  Result<TrackingPage> tracking(std::string_view prefix, std::string_view after,
                                std::size_t limit) override;
  Result<Statistics> statistics() override;

  int wake_fd() const override { return shared_->wake_fd(); }
  void advance() override { shared_->advance(); }
  void close() override;

 private:
  bool start_append(std::uint64_t id, EncodedAppend append, const CallOptions& call,
                    Done<Appended> done);
  // Asks and waits. `send` makes the request, `get` reads its results.
  template <class T, class Send, class Get>
  Result<T> look(Send send, Get get);

  std::shared_ptr<Shared> shared_;
  std::mutex closing_;  // one close() at a time
};

// ---- writing

bool RemoteStore::start_append(std::uint64_t id, EncodedAppend append, const CallOptions& call,
                               Done<Appended> done) {
  auto send = [append = std::move(append), done](protocol::Session::Client& session,
                                                 std::chrono::milliseconds left) {
    const auto bytes = append.bytes();
    auto request =
        session.appendRequest(capnp::MessageSize{bytes.size() / sizeof(capnp::word) + 16, 0});
    request.setAppend({reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()});
    request.setTimeoutMs(protocol::to_wire(left));
    return take<Appended>(request.send(), done,
                          [](auto& results) { return protocol::get(results.getAppended()); });
  };
  auto made = make_call<Appended>(deadline_in(shared_->timeout_of(call)), done, std::move(send));
  made.is_append = true;
  return shared_->loop().post([id, made = std::move(made)](Inside& inside) mutable {
    inside.calls.add(id, std::move(made));
  });
}

Result<Appended> RemoteStore::append(EncodedAppend append, const CallOptions& call) {
  if (call.stop.stop_requested()) return std::unexpected(stopped_before());
  return shared_->block<Appended>(
      call.stop,
      [&](std::uint64_t id, const std::shared_ptr<Answer<Appended>>& answer) {
        return start_append(id, std::move(append), call, share<Appended>([answer](auto result) {
                              answer->set(std::move(result));
                            }));
      },
      cancel_call);
}

void RemoteStore::append(EncodedAppend append, const CallOptions& call,
                         Completion<Appended> completion) {
  const auto id = shared_->new_id();
  const auto stop_watch = std::make_shared<StopWatch>();
  const auto bytes = append.bytes().size() + kCallBytes;
  const bool fits = shared_->queue_bytes(bytes);
  const auto done = share<Appended>([shared = shared_.get(), stop_watch, bytes,
                                     completion = std::move(completion)](auto result) mutable {
    shared->unqueue_bytes(bytes);
    shared->complete([completion = std::move(completion), result = std::move(result)]() mutable {
      completion(std::move(result));
    });
  });
  if (!fits || call.stop.stop_requested()) {
    const bool posted = shared_->loop().post([done, fits](Inside&) {
      (*done)(std::unexpected(fits ? stopped_before() : queue_is_full()));
    });
    if (!posted) (*done)(std::unexpected(closed_error()));
    return;
  }
  if (!start_append(id, std::move(append), call, done)) {
    (*done)(std::unexpected(closed_error()));
    return;
  }
  stop_watch->start(call.stop, [shared = shared_, id]() {
    shared->loop().post([id](Inside& inside) { cancel_call(inside, id, 0); });
  });
}

// ---- looking

template <class T, class Send, class Get>
Result<T> RemoteStore::look(Send send, Get get) {
  return shared_->block<T>(
      {},
      [&](std::uint64_t id, const std::shared_ptr<Answer<T>>& answer) {
        const auto done = share<T>([answer](auto result) { answer->set(std::move(result)); });
        auto made = make_call<T>(
            deadline_in(shared_->timeout_of({})), done,
            [send, get, done](protocol::Session::Client& session, std::chrono::milliseconds) {
              return take<T>(send(session), done, get);
            });
        return shared_->loop().post([id, made = std::move(made)](Inside& inside) mutable {
          inside.calls.add(id, std::move(made));
        });
      },
      cancel_call);
}

Result<StreamInfo> RemoteStore::stream_info(std::string_view stream) {
  return look<StreamInfo>(
      [name = std::string(stream)](protocol::Session::Client& session) {
        auto request = session.streamInfoRequest();
        request.setStream(protocol::to_kj(name));
        return request.send();
      },
      [](auto& results) { return protocol::get(results.getInfo()); });
}

// What the three kinds of page have in common.
struct PageRequest {
  std::string prefix, after;
  std::size_t limit;
  template <class Request>
  auto send(Request request) const {
    request.setPrefix(protocol::to_kj(prefix));
    request.setAfter(protocol::to_kj(after));
    request.setLimit(limit);
    return request.send();
  }
};

Result<StreamPage> RemoteStore::streams(std::string_view prefix, std::string_view after,
                                        std::size_t limit) {
  return look<StreamPage>(
      [page = PageRequest{std::string(prefix), std::string(after), limit}](
          protocol::Session::Client& session) { return page.send(session.streamsRequest()); },
      [](auto& results) { return protocol::get(results.getPage()); });
}

Result<TermPage> RemoteStore::terms(TermKind kind, std::string_view prefix, std::string_view after,
                                    std::size_t limit) {
  return look<TermPage>(
      [kind, page = PageRequest{std::string(prefix), std::string(after), limit}](
          protocol::Session::Client& session) {
        auto request = session.termsRequest();
        request.setKind(protocol::to_wire(kind));
        return page.send(std::move(request));
      },
      [](auto& results) { return protocol::get(results.getPage()); });
}

Result<std::uint64_t> RemoteStore::count(Query query, Position after) {
  return look<std::uint64_t>(
      [query = std::move(query), after](protocol::Session::Client& session) {
        auto request = session.countRequest();
        protocol::put(query, request.initQuery());
        request.setAfter(after.value);
        return request.send();
      },
      [](auto& results) { return results.getNumber(); });
}

Result<std::uint64_t> RemoteStore::tracked(std::string_view source) {
  return look<std::uint64_t>(
      [source = std::string(source)](protocol::Session::Client& session) {
        auto request = session.trackedRequest();
        request.setSource(protocol::to_kj(source));
        return request.send();
      },
      [](auto& results) { return results.getNumber(); });
}

Result<TrackingPage> RemoteStore::tracking(std::string_view prefix, std::string_view after,
                                           std::size_t limit) {
  return look<TrackingPage>(
      [page = PageRequest{std::string(prefix), std::string(after), limit}](
          protocol::Session::Client& session) { return page.send(session.trackingRequest()); },
      [](auto& results) { return protocol::get(results.getPage()); });
}

Result<Statistics> RemoteStore::statistics() {
  return look<Statistics>(
      [](protocol::Session::Client& session) { return session.statisticsRequest().send(); },
      [](auto& results) { return protocol::get(results.getStatistics()); });
}

// ---- closing

void RemoteStore::close() {
  const std::lock_guard lock(closing_);
  const auto closed = std::make_shared<Answer<bool>>();
  const bool open = shared_->loop().post([closed](Inside& inside) {
    for (auto& [id, cursor] : inside.cursors) cursor.close();
    inside.calls.close([closed]() { closed->set(true); });
  });
  if (open) [[maybe_unused]]
    const auto done = closed->wait();
  shared_->loop().close();
  if (shared_->calls_advance()) shared_->advance();
}

}  // namespace

Result<std::unique_ptr<EventStore>> open_remote(Address address, const OpenOptions& options) {
  auto shared = std::make_shared<Shared>(std::move(address), options);
  if (const auto& failure = shared->failure()) return std::unexpected(*failure);
  auto connected = shared->block<bool>(
      {},
      [&](std::uint64_t id, const std::shared_ptr<Answer<bool>>& answer) {
        const auto done = share<bool>([answer](auto result) { answer->set(std::move(result)); });
        auto made = make_call<bool>(
            deadline_in(options.timeout), done,
            [done](protocol::Session::Client&, std::chrono::milliseconds) -> Call::Sent {
              (*done)(true);
              return std::optional<Error>();
            });
        made.only_now = true;
        return shared->loop().post([id, made = std::move(made)](Inside& inside) mutable {
          inside.calls.add(id, std::move(made));
        });
      },
      cancel_call);
  if (!connected) return std::unexpected(connected.error());
  return std::make_unique<RemoteStore>(std::move(shared));
}

}  // namespace esdb::client
