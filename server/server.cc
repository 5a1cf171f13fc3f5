#include "server/server.h"

#include <utility>

#include "protocol/socket_stream.h"

namespace esdb::server {
namespace {

constexpr auto kQuietLook = 2 * kj::MILLISECONDS;

}  // namespace

void TellErrors::taskFailed(kj::Exception&& error) {
  log_(LogLevel::kWarning, std::string("a connection ended: ") + error.getDescription().cStr());
}

Server::Server(kj::AsyncIoContext& loop, EventStore& store, Options options)
    : loop_(loop),
      driver_(store, loop.unixEventPort),
      looking_(loop.unixEventPort),
      context_(new Context{.store = store,
                           .driver = driver_,
                           .looking = looking_,
                           .timer = loop.provider->getTimer(),
                           .options = std::move(options)}),
      admission_(context_->options),
      on_error_(context_->options.log),
      tasks_(std::in_place, on_error_) {
  if (const auto found = store.statistics()) {
    context_->store_id = found->store_id;
    context_->epoch_id = found->epoch_id;
  }
}

Server::~Server() noexcept(false) {
  cut_connections();
  context_->closed = true;
}

Result<std::vector<std::string>> Server::listen(const Endpoint& endpoint) {
  auto sockets = listen_at(endpoint);
  if (!sockets) return std::unexpected(sockets.error());
  std::vector<std::string> urls;
  for (auto& socket : *sockets) {
    acceptors_.emplace_back(std::move(socket), loop_.unixEventPort, context_->timer,
                            context_->options.log,
                            [this](Accepted accepted) { take(std::move(accepted)); });
    urls.push_back(acceptors_.back().endpoint().url());
    if (endpoint.kind == Endpoint::Kind::kTcp)
      context_->log(LogLevel::kWarning,
                    "every local user can read and write the whole store at " + urls.back() +
                        " (TCP has no authentication yet; a Unix socket serves its owner alone)");
  }
  return urls;
}

void Server::take(Accepted accepted) {
  auto entry = admission_.enter(accepted.owner, context_->timer.now());
  if (!entry.place) return;
  auto socket = kj::heap<protocol::SocketStream>(loop_.unixEventPort, kj::mv(accepted.socket));
  const auto at = connections_.emplace(connections_.end(), context_, ++last_number_,
                                       std::move(accepted.peer), std::move(entry), kj::mv(socket));
  tasks_->add(at->run().then([this, at]() {
    // Not within a call of the connection's own objects.
    tasks_->add(kj::evalLater([this, at]() { connections_.erase(at); }));
  }));
}

kj::Promise<void> Server::stop() {
  context_->stopping = true;
  acceptors_.clear();
  const auto patience = context_->options.stop_time.count() * kj::MILLISECONDS;
  return quiet()
      .exclusiveJoin(context_->timer.afterDelay(patience).then([this]() {
        context_->log(LogLevel::kWarning, "stopping: some appends are not answered yet");
      }))
      .then([this]() { cut_connections(); });
}

kj::Promise<void> Server::quiet() {
  bool waits = context_->in_flight->appends != 0;
  for (const auto& connection : connections_) waits = waits || !connection.is_quiet();
  if (!waits) return kj::READY_NOW;
  return context_->timer.afterDelay(kQuietLook).then([this]() { return quiet(); });
}

void Server::cut_connections() {
  tasks_.reset();
  connections_.clear();
  tasks_.emplace(on_error_);
}

}  // namespace esdb::server
