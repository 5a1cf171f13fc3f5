// A cursor's place: its reader and the one next() that may be in flight, shared between the cursor
// and the threads that work for it, so that a cursor may go away at any moment.
//
// Threads: `reader` belongs to the next() in flight; everything else is guarded by `mutex`.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "esdb/cursor.h"
#include "storage/reader.h"

namespace esdb::storage {

struct Place {
  explicit Place(Reader r) : reader(std::move(r)) {}

  Reader reader;

  std::mutex mutex;
  std::condition_variable changed;
  enum class Phase : std::uint8_t {
    kIdle,
    kReading,     // a next() is at work or waits
    kDelivering,  // its completion is on its way
  } phase = Phase::kIdle;
  bool cancelled = false;  // the next() in flight ends with kCancelled
  bool dropped = false;    // the cursor is gone: nothing is delivered any more
  bool running = false;    // a completion runs; it may begin the following next()
  std::thread::id running_on{};
  NextOptions options{};
  std::chrono::steady_clock::time_point deadline{};
  std::chrono::steady_clock::time_point again_at{};  // the reader pool's, while it waits there
  Completion<Batch> done{};
  std::optional<std::stop_callback<std::function<void()>>> on_stop{};
};

}  // namespace esdb::storage
