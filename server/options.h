// What a server is told: where it listens, what it accepts, how long it waits.
//
// Threads: a value.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "esdb/limits.h"

namespace esdb::server {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
using Log = std::function<void(LogLevel, std::string_view line)>;

struct Options {
  // The store's own limits, told to clients.
  std::size_t event_bytes_max = kEventBytesDefault;
  std::size_t append_bytes_max = kAppendBytesDefault;

  // Connections beyond these are refused, saying which of them was reached.
  std::size_t connections_max = 256;
  std::size_t connections_per_peer_max = 192;  // of one user, or of one address: others get in
  std::size_t connections_unauthenticated_max = 64;

  std::uint32_t calls_max = 4096;          // unanswered calls of one connection
  std::uint32_t cursors_max = 1024;        // open cursors of one connection
  std::size_t flow_bytes = 8 << 20;        // of unanswered calls, before a connection is read again
  std::size_t batch_bytes = 2 << 20;       // of batches being made for one connection
  std::size_t batch_bytes_all = 64 << 20;  // and for all of them

  std::chrono::milliseconds hello_time = std::chrono::seconds(5);     // to hello and authenticate
  std::chrono::milliseconds message_time = std::chrono::seconds(10);  // idle within a message
  std::chrono::milliseconds write_time = std::chrono::seconds(30);    // not reading what was asked
  std::chrono::milliseconds wait_max = std::chrono::seconds(30);      // of one next()
  std::chrono::milliseconds stop_time = std::chrono::seconds(4);      // for appends to finish

  Log log = [](LogLevel, std::string_view) {};
};

}  // namespace esdb::server
