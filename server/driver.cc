#include "server/driver.h"

namespace esdb::server {
namespace {

// A turn goes on for as long as a busy peer sends: with 256 calls of one peer in flight the device
// would write nothing before all of them had been read.
constexpr std::size_t kAppendedMax = 16;

}  // namespace

Driver::Driver(EventStore& store, kj::UnixEventPort& port) : store_(store) {
  if (store.wake_fd() < 0) return;
  wake_.emplace(port, store.wake_fd(), kj::UnixEventPort::FdObserver::OBSERVE_READ);
  watching_ = watch().eagerlyEvaluate(nullptr);
}

void Driver::appended() {
  ++arrivals_;
  if (wake_ == nullptr) return;
  if (++appended_ < kAppendedMax) return soon();
  appended_ = 0;
  store_.advance();
}

void Driver::soon() {
  ++arrivals_;
  if (scheduled_ || wake_ == nullptr) return;
  scheduled_ = true;
  turn_ = kj::evalLast([this]() {
            scheduled_ = false;
            appended_ = 0;
            store_.advance();
          }).eagerlyEvaluate(nullptr);
}

kj::Promise<void> Driver::watch() {
  KJ_IF_MAYBE (wake, wake_) {
    return wake->whenBecomesReadable().then([this]() {
      // Watching goes on before the store is advanced: the descriptor tells of changes only.
      ++arrivals_;
      auto next = watch();
      store_.advance();
      return next;
    });
  }
  return kj::NEVER_DONE;
}

}  // namespace esdb::server
