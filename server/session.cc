#include "server/session.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "esdb/append.h"
#include "protocol/wire.h"
#include "server/cursor_service.h"

namespace esdb::server {
namespace {

constexpr const char* kProgram = "esdb-server " ESDB_VERSION;

Error overloaded() {
  return {.code = ErrorCode::kOverloaded,
          .message = "too many unanswered calls on this connection: wait for some of them"};
}

Error stopping() {
  return {.code = ErrorCode::kUnavailable, .message = "the server is stopping: connect again"};
}

std::vector<std::byte> copy_of(capnp::Data::Reader data) {
  const auto* begin = reinterpret_cast<const std::byte*>(data.begin());
  return {begin, begin + data.size()};
}

class SessionService final : public protocol::Session::Server {
 public:
  explicit SessionService(Caller caller) : caller_(std::move(caller)) {}

  kj::Promise<void> append(AppendContext call) override;
  kj::Promise<void> read(ReadContext call) override;
  kj::Promise<void> subscribe(SubscribeContext call) override;
  kj::Promise<void> streamInfo(StreamInfoContext call) override;
  kj::Promise<void> streams(StreamsContext call) override;
  kj::Promise<void> terms(TermsContext call) override;
  kj::Promise<void> count(CountContext call) override;
  kj::Promise<void> tracked(TrackedContext call) override;
  kj::Promise<void> tracking(TrackingContext call) override;
  kj::Promise<void> statistics(StatisticsContext call) override;

 private:
  // Runs `look` where it may block and answers with what it found; `put` fills the answer.
  template <class T, class Call, class Put>
  kj::Promise<void> look(Call call, std::move_only_function<Result<T>()> look, Put put,
                         Looking::Length length = Looking::Length::kShort);
  kj::Promise<void> take_up(AppendContext call, EncodedAppend append);
  void ask_epoch();
  protocol::Cursor::Client offer(Result<esdb::Cursor> cursor);

  Context& context() { return *caller_.context; }
  Allowance& allowance() { return *caller_.allowance; }

  Caller caller_;
  kj::Promise<void> asking_epoch_ = kj::READY_NOW;
};

// ---- writing

kj::Promise<void> SessionService::append(AppendContext call) {
  const auto refuse = [&](const Error& error) {
    protocol::put(error, call.getResults().initError());
    return kj::Promise<void>(kj::READY_NOW);
  };
  if (context().stopping || context().closed) return refuse(stopping());
  if (allowance().calls >= context().options.calls_max) return refuse(overloaded());
  auto append = EncodedAppend::adopt(copy_of(call.getParams().getAppend()));
  if (!append) return refuse(append.error());
  return take_up(call, *std::move(append));
}

kj::Promise<void> SessionService::take_up(AppendContext call, EncodedAppend append) {
  const CallOptions options{.timeout = protocol::from_wire(call.getParams().getTimeoutMs()),
                            .session = allowance().connection};
  call.releaseParams();
  ++allowance().calls;
  ++context().in_flight->appends;
  auto appended = kj::newPromiseAndFulfiller<Result<esdb::Appended>>();
  context().store.append(std::move(append), options,
                         [in_flight = context().in_flight, fulfiller = kj::mv(appended.fulfiller)](
                             Result<esdb::Appended> result) mutable {
                           --in_flight->appends;
                           fulfiller->fulfill(kj::mv(result));
                         });
  context().driver.appended();
  return shield(caller_, appended.promise.then([this, call](Result<esdb::Appended> result) mutable {
    --allowance().calls;
    if (!result) {
      protocol::put(result.error(), call.getResults().initError());
      return;
    }
    protocol::put(*result, call.getResults().initAppended());
    if (!context().epoch_asked && !context().closed) ask_epoch();
  }));
}

// The first append of an open begins an epoch: what hello tells changes once.
void SessionService::ask_epoch() {
  context().epoch_asked = true;
  asking_epoch_ = context()
                      .looking
                      .run<Statistics>({.owner = allowance().connection},
                                       [&store = context().store]() { return store.statistics(); })
                      .then([this](Result<Statistics> found) {
                        if (found) context().epoch_id = found->epoch_id;
                      })
                      .eagerlyEvaluate(nullptr);
}

// ---- reading

protocol::Cursor::Client SessionService::offer(Result<esdb::Cursor> cursor) {
  if (allowance().cursors.size() >= context().options.cursors_max)
    cursor = std::unexpected(Error{.code = ErrorCode::kOverloaded,
                                   .message = "too many open cursors on this connection, at most " +
                                              std::to_string(context().options.cursors_max) +
                                              ": close some"});
  return kj::heap<CursorService>(caller_, std::move(cursor));
}

kj::Promise<void> SessionService::read(ReadContext call) {
  const auto open = [&]() -> Result<esdb::Cursor> {
    if (context().closed) return std::unexpected(stopping());
    auto query = protocol::get(call.getParams().getQuery());
    if (!query) return std::unexpected(query.error());
    auto options = protocol::get(call.getParams().getOptions());
    if (!options) return std::unexpected(options.error());
    return context().store.read(*std::move(query), *options);
  };
  call.getResults().setCursor(offer(open()));
  return kj::READY_NOW;
}

kj::Promise<void> SessionService::subscribe(SubscribeContext call) {
  const auto open = [&]() -> Result<esdb::Cursor> {
    if (context().closed) return std::unexpected(stopping());
    auto query = protocol::get(call.getParams().getQuery());
    if (!query) return std::unexpected(query.error());
    auto start = protocol::get(call.getParams().getStart());
    if (!start) return std::unexpected(start.error());
    return context().store.subscribe(*std::move(query), *std::move(start));
  };
  call.getResults().setCursor(offer(open()));
  return kj::READY_NOW;
}

// ---- looking

template <class T, class Call, class Put>
kj::Promise<void> SessionService::look(Call call, std::move_only_function<Result<T>()> look,
                                       Put put, Looking::Length length) {
  call.releaseParams();
  if (context().closed || allowance().calls >= context().options.calls_max) {
    protocol::put(context().closed ? stopping() : overloaded(), call.getResults().initError());
    return kj::READY_NOW;
  }
  ++allowance().calls;
  return shield(caller_, context()
                             .looking
                             .run<T>({.owner = allowance().connection,
                                      .length = length,
                                      .stop = allowance().leaving.get_token()},
                                     std::move(look))
                             .then([this, call, put](Result<T> found) mutable {
                               --allowance().calls;
                               auto results = call.getResults();
                               if (found)
                                 put(*found, results);
                               else
                                 protocol::put(found.error(), results.initError());
                             }));
}

kj::Promise<void> SessionService::streamInfo(StreamInfoContext call) {
  auto name = protocol::to_string(call.getParams().getStream());
  return look<StreamInfo>(
      call,
      [&store = context().store, name = std::move(name)]() { return store.stream_info(name); },
      [](const StreamInfo& found, auto& results) { protocol::put(found, results.initInfo()); });
}

// What the three kinds of page have in common.
struct PageRequest {
  std::string prefix;
  std::string after;
  std::size_t limit;
};
PageRequest page_request(const auto& params) {
  return {.prefix = protocol::to_string(params.getPrefix()),
          .after = protocol::to_string(params.getAfter()),
          .limit = static_cast<std::size_t>(std::min<std::uint64_t>(params.getLimit(), kPageMax))};
}

kj::Promise<void> SessionService::streams(StreamsContext call) {
  return look<StreamPage>(
      call,
      [&store = context().store, page = page_request(call.getParams())]() {
        return store.streams(page.prefix, page.after, page.limit);
      },
      [](const StreamPage& found, auto& results) { protocol::put(found, results.initPage()); });
}

kj::Promise<void> SessionService::terms(TermsContext call) {
  const auto kind = protocol::from_wire(call.getParams().getKind());
  if (!kind) {
    protocol::put(kind.error(), call.getResults().initError());
    return kj::READY_NOW;
  }
  return look<TermPage>(
      call,
      [&store = context().store, kind = *kind, page = page_request(call.getParams())]() {
        return store.terms(kind, page.prefix, page.after, page.limit);
      },
      [](const TermPage& found, auto& results) { protocol::put(found, results.initPage()); });
}

kj::Promise<void> SessionService::count(CountContext call) {
  auto query = protocol::get(call.getParams().getQuery());
  if (!query) {
    protocol::put(query.error(), call.getResults().initError());
    return kj::READY_NOW;
  }
  const Position after = call.getParams().getAfter();
  return look<std::uint64_t>(
      call,
      [&store = context().store, query = *std::move(query), after]() {
        return store.count(query, after);
      },
      [](std::uint64_t found, auto& results) { results.setNumber(found); }, Looking::Length::kLong);
}

kj::Promise<void> SessionService::tracked(TrackedContext call) {
  return look<std::uint64_t>(
      call,
      [&store = context().store, source = protocol::to_string(call.getParams().getSource())]() {
        return store.tracked(source);
      },
      [](std::uint64_t found, auto& results) { results.setNumber(found); });
}

kj::Promise<void> SessionService::tracking(TrackingContext call) {
  return look<TrackingPage>(
      call,
      [&store = context().store, page = page_request(call.getParams())]() {
        return store.tracking(page.prefix, page.after, page.limit);
      },
      [](const TrackingPage& found, auto& results) { protocol::put(found, results.initPage()); });
}

kj::Promise<void> SessionService::statistics(StatisticsContext call) {
  return look<Statistics>(
      call, [&store = context().store]() { return store.statistics(); },
      [](const Statistics& found, auto& results) {
        protocol::put(found, results.initStatistics());
      });
}

// ---- to strangers

class BootstrapService final : public protocol::Bootstrap::Server {
 public:
  explicit BootstrapService(Caller caller) : caller_(std::move(caller)) {}

  kj::Promise<void> hello(HelloContext call) override;
  kj::Promise<void> authenticate(AuthenticateContext call) override;

 private:
  void tell(protocol::HelloResult::Server::Builder server);

  Context& context() { return *caller_.context; }
  Allowance& allowance() { return *caller_.allowance; }

  Caller caller_;
  bool greeted_ = false;
};

kj::Promise<void> BootstrapService::hello(HelloContext call) {
  if (allowance().refusal) {
    protocol::put(*allowance().refusal, call.getResults().initError());
    return kj::READY_NOW;
  }
  const auto hello = call.getParams();
  const auto ours_min = protocol::PROTOCOL_VERSION_MIN, ours_max = protocol::PROTOCOL_VERSION_MAX;
  if (hello.getVersionMax() < ours_min || hello.getVersionMin() > ours_max) {
    const bool client_is_older = hello.getVersionMax() < ours_min;
    protocol::put(Error{.code = ErrorCode::kUnsupported,
                        .message = std::string(kProgram) + " speaks protocol versions " +
                                   std::to_string(ours_min) + " to " + std::to_string(ours_max) +
                                   ", and the client " + std::to_string(hello.getVersionMin()) +
                                   " to " + std::to_string(hello.getVersionMax()) +
                                   ": upgrade the " + (client_is_older ? "client" : "server")},
                  call.getResults().initError());
    return kj::READY_NOW;
  }
  greeted_ = true;
  tell(call.getResults().initServer());
  call.getResults().getServer().setVersion(std::min(hello.getVersionMax(), ours_max));
  context().log(LogLevel::kDebug, "connection " + std::to_string(allowance().connection) + ": " +
                                      protocol::to_string(hello.getClient()).substr(0, 100));
  return kj::READY_NOW;
}

void BootstrapService::tell(protocol::HelloResult::Server::Builder server) {
  server.setProgram(kProgram);
  server.setStoreId(protocol::to_kj(context().store_id));
  server.setEpochId(protocol::to_kj(context().epoch_id));
  auto limits = server.initLimits();
  limits.setEventBytes(context().options.event_bytes_max);
  limits.setAppendBytes(context().options.append_bytes_max);
  limits.setMessageBytes(protocol::kMessageBytesMax);
  limits.setBatchBytes(kBatchBytesMax);
  limits.setCalls(context().options.calls_max);
  limits.setCursors(context().options.cursors_max);
}

kj::Promise<void> BootstrapService::authenticate(AuthenticateContext call) {
  const auto refuse = [&](ErrorCode code, std::string message) {
    protocol::put(Error{.code = code, .message = std::move(message)},
                  call.getResults().initError());
    return kj::Promise<void>(kj::READY_NOW);
  };
  if (!greeted_) return refuse(ErrorCode::kInvalidArgument, "authenticate comes after hello");
  // Who may connect was settled when the connection was accepted: the socket's mode, its peer's
  // user, the loopback.
  if (!call.getParams().isPeer())
    return refuse(ErrorCode::kUnsupported,
                  "tokens are not served by this version: authenticate "
                  "as peer");
  if (!allowance().authenticated) {
    allowance().authenticated = true;
    if (allowance().on_authenticated) allowance().on_authenticated();
  }
  call.getResults().setSession(kj::heap<SessionService>(caller_));
  return kj::READY_NOW;
}

}  // namespace

void Allowance::abandon() {
  gone = true;
  leaving.request_stop();
  on_authenticated = nullptr;
  for (auto* cursor : std::exchange(cursors, {})) cursor->abandon();
}

kj::Promise<void> shield(Caller caller, kj::Promise<void> answering) {
  return answering.catch_([caller = std::move(caller)](kj::Exception&& error) {
    if (!caller.context->closed)
      caller.context->log(LogLevel::kError, "connection " +
                                                std::to_string(caller.allowance->connection) +
                                                ": internal error: " + kj::str(error).cStr());
    kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, "server", 0,
                                          kj::str("internal error of the server: its log tells")));
  });
}

protocol::Bootstrap::Client make_bootstrap(Caller caller) {
  return kj::heap<BootstrapService>(std::move(caller));
}

}  // namespace esdb::server
