#include "esdb/deciding.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace esdb::internal {
namespace {

// The longest pause after a conflict is 1 ms, doubled with each attempt up to this.
constexpr int kDoublingsMax = 7;

}  // namespace

bool pause(std::chrono::nanoseconds length, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, length, [] { return false; });
  return !stop.stop_requested();
}

std::chrono::nanoseconds back_off(int attempt) {
  // Random, so that those who met do not meet again.
  static thread_local std::minstd_rand random{std::random_device{}()};
  const std::int64_t longest = std::int64_t{1'000'000} << std::min(attempt - 1, kDoublingsMax);
  return std::chrono::nanoseconds(std::uniform_int_distribution<std::int64_t>(0, longest)(random));
}

Result<Appended> read_append(EventStore& store, Position first, const CallOptions& call) {
  Appended appended{.first = first, .last = first, .repeated = true};
  auto cursor = store.read(everything(), {.start = Start::after(first.value - 1)});
  for (;;) {
    const auto batch =
        cursor.next({.wait = call.timeout.count() ? call.timeout : kForever, .stop = call.stop});
    if (!batch) return std::unexpected(batch.error());
    for (const auto event : *batch) {
      appended.last = event.position();
      appended.committed = event.committed();
      auto written =
          std::ranges::find(appended.streams, event.stream(), &Appended::StreamVersion::stream);
      if (written == appended.streams.end())
        written = appended.streams.insert(written, {std::string(event.stream()), 0});
      written->version = event.version();
      if (event.ends_append()) return appended;
    }
    if (batch->finished()) return appended;
  }
}

}  // namespace esdb::internal
