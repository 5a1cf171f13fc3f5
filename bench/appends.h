// Appends as the benchmarks make them: small JSON events over a number of streams.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include "esdb/append.h"
#include "esdb/event_store.h"

namespace esdb::bench {

inline NewEvent event_of(std::uint64_t number, std::size_t streams, std::size_t data_bytes) {
  return {.stream = "account-" + std::to_string(number % streams),
          .type = "MoneyDeposited",
          .data = "{\"n\":\"" + std::string(data_bytes > 8 ? data_bytes - 8 : 0, 'x') + "\"}",
          .tags = {{"customer", std::to_string(number % 1000)}}};
}

// `count` events in one append.
inline EncodedAppend append_of(std::uint64_t first, std::size_t count, std::size_t streams,
                               std::size_t data_bytes, std::vector<Check> checks = {}) {
  AppendRequest request{.checks = std::move(checks)};
  for (std::size_t i = 0; i < count; ++i)
    request.events.push_back(event_of(first + i, streams, data_bytes));
  return EncodedAppend::encode(request).value();
}

// `total` appends made by `make(number)`, by `window` callers of one append at a time: each answer
// is followed by that caller's next append, from where the answer came. Returns when all are
// acknowledged; stops the program when one is refused.
template <class Make>
class Callers {
 public:
  Callers(EventStore& store, std::size_t total, Make& make)
      : store_(store), total_(total), make_(make) {}

  void run(std::size_t window) {
    for (std::size_t i = 0; i < window; ++i) next();
    std::unique_lock lock(mutex_);
    all_answered_.wait(lock, [this] { return answered_ == total_; });
  }

 private:
  void next() {
    const auto number = begun_.fetch_add(1);
    if (number >= total_) return;
    store_.append(make_(number), {}, [this](Result<Appended> appended) {
      appended.value();
      next();
      // Under the lock, because whoever waits takes everything down.
      const std::lock_guard lock(mutex_);
      if (++answered_ == total_) all_answered_.notify_one();
    });
  }

  EventStore& store_;
  const std::size_t total_;
  Make& make_;
  std::atomic<std::size_t> begun_{0};
  std::mutex mutex_;
  std::condition_variable all_answered_;
  std::size_t answered_ = 0;
};

template <class Make>
void keep_in_flight(EventStore& store, std::size_t total, std::size_t window, Make&& make) {
  Callers<std::remove_reference_t<Make>>(store, total, make).run(window);
}

}  // namespace esdb::bench
