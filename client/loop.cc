#include "client/loop.h"

#include <kj/async-unix.h>
#include <kj/debug.h>
#include <pthread.h>
#include <signal.h>

#include <utility>

#include "client/inside.h"
#include "protocol/wakeful_loop.h"

namespace esdb::client {
namespace {

// KJ's event port ignores SIGPIPE for the whole process, which is not a library's to do. This
// thread blocks it, so that it does not need that.
kj::AsyncIoContext set_up() {
  struct sigaction before {};
  ::sigaction(SIGPIPE, nullptr, &before);
  auto context = kj::setupAsyncIo();
  ::sigaction(SIGPIPE, &before, nullptr);
  return context;
}

kj::Promise<void> serve(kj::UnixEventPort::FdObserver& wake, protocol::LoopQueue& queue, Link& link,
                        const bool& ending) {
  return wake.whenBecomesReadable().then([&]() -> kj::Promise<void> {
    auto next = serve(wake, queue, link, ending);
    link.noticed();
    queue.drain();
    if (ending) return kj::READY_NOW;
    return next;
  });
}

}  // namespace

Loop::Loop(Address address, std::function<void(std::string_view)> log) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::promise<void> started;
  thread_ = std::thread([this, &started, address = std::move(address), log = std::move(log)]() {
    run(address, log, started);
  });
  started.get_future().wait();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Loop::~Loop() { close(); }

void Loop::run(const Address& address, const std::function<void(std::string_view)>& log,
               std::promise<void>& started) {
  std::optional<kj::AsyncIoContext> context;
  try {
    KJ_REQUIRE(queue_.wake_fd() >= 0, "an eventfd could not be made");
    context.emplace(set_up());
  } catch (const kj::Exception& error) {
    failure_ = Error{.code = ErrorCode::kUnavailable,
                     .message = address.url() + ": the process has no descriptor left to connect " +
                                "with: " + error.getDescription().cStr()};
    queue_.close();
    started.set_value();
    return;
  }
  kj::UnixEventPort::FdObserver wake(context->unixEventPort, queue_.wake_fd(),
                                     kj::UnixEventPort::FdObserver::OBSERVE_READ);
  Inside inside(*context, address, log);
  inside_ = &inside;
  started.set_value();
  protocol::WakefulLoop(*context, inside.link.arrivals())
      .run(serve(wake, queue_, inside.link, ending_));
  queue_.close();
  queue_.drain();  // what came in meanwhile is answered, too
  inside.calls.close([]() {});
  for (auto& [id, cursor] : inside.cursors) cursor.close();
  inside.cursors.clear();
  inside.link.close();
}

bool Loop::post(Work work) {
  return queue_.push([this, work = std::move(work)]() mutable { work(*inside_); });
}

void Loop::close() {
  if (!thread_.joinable()) return;
  queue_.push([this]() { ending_ = true; });
  thread_.join();
}

}  // namespace esdb::client
