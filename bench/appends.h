// Appends as the benchmarks make them: small JSON events over a number of streams.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
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

// `total` appends, at most `window` of them in flight, made by `make(number)`. Returns when all are
// acknowledged; stops the program when one is refused.
template <class Make>
void keep_in_flight(EventStore& store, std::size_t total, std::size_t window, Make&& make) {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t in_flight = 0;
  for (std::size_t i = 0; i < total; ++i) {
    auto append = make(i);
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return in_flight < window; });
      ++in_flight;
    }
    store.append(std::move(append), {}, [&](Result<Appended> appended) {
      appended.value();
      const std::lock_guard lock(mutex);
      if (--in_flight == window / 2 || in_flight == 0) changed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return in_flight == 0; });
}

}  // namespace esdb::bench
