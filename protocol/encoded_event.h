// Encoded events: the one place that makes, checks and reads the bytes of protocol/event.capnp.
//
// An encoded event has exactly one accepted layout: the one encode() makes (one segment, the root
// pointer first, everything reachable, nothing hidden, no gaps). check() tells whether bytes from
// elsewhere have it; an event that is correct but laid out otherwise is encoded anew, because
// hidden bytes would survive redaction and cheat limits.
//
// Threads: functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "esdb/error.h"
#include "esdb/event.h"

namespace esdb::protocol {

// Every field of an encoded event, viewed in place. `tags` are in byte order, in memory of the
// maker's choice: an append of one event is made without a block of its own for them.
struct EventFields {
  EventId id{};
  std::optional<Time> time{};
  std::string_view stream{}, type{}, data{}, metadata{}, content_type{};
  std::pmr::vector<std::string_view> tags{};
};

// Form and limits of one event (limits.h), its whole size included; the message names the field and
// the rule. Tags are taken as they are: sorted and unique.
Result<void> check_fields(const EventFields& fields);

// The size of the encoded event in bytes, a multiple of 8.
std::size_t encoded_size(const EventFields& fields);
// Encodes into `out`: encoded_size(fields) zero bytes, 8-byte aligned. The event has passed
// check_fields().
void encode(const EventFields& fields, std::byte* out);
// Appends the encoded event to `out`, whose size stays a multiple of 8.
void encode(const EventFields& fields, std::vector<std::byte>& out);

// Whether `bytes` (8-byte aligned) are an encoded event in the accepted layout. True means that the
// accessors below may be used on them.
bool has_accepted_layout(std::span<const std::byte> bytes);

// Reads an event from a single-segment message of any layout (8-byte aligned), bounds checked: what
// is then encoded anew. Tags come sorted, a repeated one once. kInvalidArgument when the bytes are
// no such message, kUnsupported for a content type whose number this version does not know.
Result<EventFields> read_untrusted(std::span<const std::byte> bytes);

// Accessors on bytes in the accepted layout; each reads only what it returns. An empty content type
// was given as "application/json" and comes back as that.
EventId id_of(std::span<const std::byte> encoded);
std::optional<Time> time_of(std::span<const std::byte> encoded);
std::string_view stream_of(std::span<const std::byte> encoded);
std::string_view type_of(std::span<const std::byte> encoded);
std::string_view data_of(std::span<const std::byte> encoded);
std::string_view metadata_of(std::span<const std::byte> encoded);
std::string_view content_type_of(std::span<const std::byte> encoded);
std::size_t tag_count(std::span<const std::byte> encoded);
std::string_view tag_at(std::span<const std::byte> encoded, std::size_t index);
std::pmr::vector<std::string_view> tags_of(
    std::span<const std::byte> encoded,
    std::pmr::memory_resource* memory = std::pmr::get_default_resource());

// XXH3-64 of the encoded bytes: what a record's checksum is made over.
std::uint64_t hash_of(std::span<const std::byte> encoded);
// XXH3-64 of the data, seeded with that of the type, seeded with that of the stream: what tells a
// retry from another event with the same id. Footers hold it: it never changes.
std::uint64_t fingerprint_of(std::span<const std::byte> encoded);

}  // namespace esdb::protocol
