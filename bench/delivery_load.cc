#include "bench/delivery_load.h"

#include <atomic>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

namespace esdb::bench {
namespace {

// Waits for each event of the load's stream. When it arrived is for the author, who waits for it
// before the next: one at a time.
class Subscriber {
 public:
  Subscriber(EventStore& store, const std::string& name, const StreamInfo& info,
             const std::stop_token& stop)
      : cursor_(store.subscribe(stream(name), Start::after_version(info.version))),
        thread_([this](const std::stop_token& ending) { receive(ending); }),
        stopped_(stop, [this] { thread_.request_stop(); }) {}

  // When the event of that version came; nothing when the subscription failed.
  std::optional<Clock::time_point> arrival_of(Version version) {
    for (auto got = arrived_.load(); got < version.value; got = arrived_.load()) {
      arrived_.wait(got);
    }
    if (failed_) return std::nullopt;
    return at_;
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  void receive(const std::stop_token& stop) {
    for (;;) {
      auto batch = cursor_.next({.stop = stop});
      const auto now = Clock::now();
      if (!batch) {
        error_ = batch.error();
        failed_ = true;
        arrived_.store(kNever);
        arrived_.notify_all();
        return;
      }
      for (const auto event : *batch) {
        at_ = now;
        arrived_.store(event.version().value);
        arrived_.notify_all();
      }
    }
  }

  static constexpr std::uint64_t kNever = ~std::uint64_t{0} - 1;

  Cursor cursor_;
  Clock::time_point at_;  // published by arrived_
  std::atomic<std::uint64_t> arrived_{0};
  std::optional<Error> error_;  // published by failed_
  std::atomic<bool> failed_{false};
  std::jthread thread_;
  std::stop_callback<std::function<void()>> stopped_;
};

}  // namespace

Result<Deliveries> run(EventStore& author, EventStore& subscriber, const DeliveryLoad& load) {
  const auto name = stream_name(load.shape, load.shape.first_stream);
  const auto info = author.stream_info(name);
  if (!info) return std::unexpected(info.error());
  Deliveries told;
  Subscriber receiver(subscriber, name, *info, load.amount.stop);
  Author events(load.shape, kSeed);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until it waits
  Budget budget(load.amount);
  for (bool is_first = true; budget.take(is_first, Clock::now()); is_first = false) {
    std::this_thread::sleep_for(load.pause);
    auto append = EncodedAppend::encode(events.next());
    if (!append) return std::unexpected(append.error());
    const auto asked = Clock::now();
    auto appended = author.append(*std::move(append));
    if (!appended) return std::unexpected(appended.error());
    told.appends.add(Clock::now() - asked);
    const auto arrived = receiver.arrival_of(appended->version());
    if (!arrived) return std::unexpected(*receiver.error());
    told.deliveries.add(*arrived - asked);
  }
  return told;
}

}  // namespace esdb::bench
