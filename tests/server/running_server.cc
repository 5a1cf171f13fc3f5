#include "tests/server/running_server.h"

#include <kj/async-io.h>
#include <kj/async-unix.h>

#include <future>
#include <utility>

#include "protocol/loop_queue.h"
#include "server/server.h"

namespace esdb::tests {

struct RunningServer::Control {
  protocol::LoopQueue queue;
  server::Server* server = nullptr;  // the thread's own
  bool stopping = false;             // the thread's own
  std::promise<void> started;
};

namespace {

kj::Promise<void> serve(kj::UnixEventPort::FdObserver& wake, protocol::LoopQueue& queue,
                        const bool& stopping) {
  return wake.whenBecomesReadable().then([&]() -> kj::Promise<void> {
    auto next = serve(wake, queue, stopping);
    queue.drain();
    if (stopping) return kj::READY_NOW;
    return next;
  });
}

}  // namespace

RunningServer::RunningServer(EventStore& store, const std::vector<std::string>& endpoints,
                             server::Options options)
    : control_(std::make_unique<Control>()) {
  auto started = control_->started.get_future();
  options.log = [this](server::LogLevel, std::string_view line) {
    const std::lock_guard lock(mutex_);
    log_.append(line).append("\n");
  };
  thread_ = std::thread([this, &store, endpoints, options = std::move(options)]() mutable {
    run(store, endpoints, std::move(options));
  });
  started.wait();
}

RunningServer::~RunningServer() { stop(); }

void RunningServer::run(EventStore& store, const std::vector<std::string>& endpoints,
                        server::Options options) {
  auto loop = kj::setupAsyncIo();
  kj::UnixEventPort::FdObserver wake(loop.unixEventPort, control_->queue.wake_fd(),
                                     kj::UnixEventPort::FdObserver::OBSERVE_READ);
  server::Server server(loop, store, std::move(options));
  control_->server = &server;
  for (const auto& text : endpoints) {
    const auto endpoint = server::parse_endpoint(text);
    const auto urls = endpoint
                          ? server.listen(*endpoint)
                          : Result<std::vector<std::string>>(std::unexpected(endpoint.error()));
    if (urls)
      urls_.insert(urls_.end(), urls->begin(), urls->end());
    else
      failure_ = urls.error();
  }
  control_->started.set_value();
  serve(wake, control_->queue, control_->stopping).wait(loop.waitScope);
  server.stop().wait(loop.waitScope);
}

std::string RunningServer::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

bool RunningServer::log_holds(std::string_view text, std::chrono::milliseconds wait) const {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    if (log().find(text) != std::string::npos) return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

std::size_t RunningServer::connections() {
  std::promise<std::size_t> answer;
  control_->queue.push([&]() { answer.set_value(control_->server->connections()); });
  return answer.get_future().get();
}

void RunningServer::stop() {
  if (!thread_.joinable()) return;
  control_->queue.push([this]() { control_->stopping = true; });
  thread_.join();
}

}  // namespace esdb::tests
