// An append, taken apart: what the engine judges and lays out, and what the wire carries.
//
// Threads: immutable once made; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

#include "esdb/append.h"

namespace esdb {

struct EncodedAppend::Parts {
  Parts() = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  struct Event {
    std::span<const std::byte> encoded{};  // into `bytes` (or `recoded`), 8-byte aligned
    EventId id{};
    std::string_view stream{};
    std::string_view type{};
    std::span<const std::string_view> tags{};  // into `tag_views`
    std::uint64_t hash{};                      // protocol::hash_of
    std::uint64_t fingerprint{};               // protocol::fingerprint_of
  };

  std::vector<std::byte> bytes{};    // protocol/event.capnp, struct Append
  std::vector<std::byte> recoded{};  // events that came in another layout, encoded anew
  // Small appends need no further block: their events and tags are told of in here.
  std::array<std::byte, 384> small;
  std::pmr::monotonic_buffer_resource memory{small.data(), small.size()};
  std::pmr::vector<Event> events{&memory};
  std::pmr::vector<std::string_view> tag_views{&memory};
  std::vector<Check> checks{};
  std::vector<Tracking> tracking{};
  std::size_t event_bytes{};      // the sum over events of encoded.size()
  std::size_t event_bytes_max{};  // the largest of them
};

}  // namespace esdb
