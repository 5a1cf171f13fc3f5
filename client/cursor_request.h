// What a remote cursor was opened for, and one question it asks.
//
// Threads: values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "esdb/cursor.h"
#include "esdb/query.h"
#include "protocol/received_batch.h"

namespace esdb::client {

using Deadline = std::chrono::steady_clock::time_point;

struct CursorRequest {
  Query query{};
  bool subscribes = false;
  ReadOptions options{};  // of a subscription, its start
};

// One next().
struct Ask {
  std::uint64_t id = 0;
  std::size_t max_bytes = 0;
  std::optional<Deadline> deadline{};  // none: for ever
  std::move_only_function<void(Result<protocol::ReceivedBatch>)> answer{};
};

}  // namespace esdb::client
