// Events: as an author makes them (NewEvent, owns its bytes), and as the store gives them back
// (RecordedEvent, a view).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/numbers.h"

namespace esdb {

// A UUID. make() gives version 7: time-ordered, growing within a thread, unique across threads,
// processes and forks. derive() gives version 5, of the namespace `from` and the ordinal in
// decimal: the same input, the same id; use it to make a retried command produce the same events.
struct EventId {
  std::array<std::byte, 16> bytes{};  // as written: the first byte first. All zeros: none
  static EventId make();
  static EventId derive(const EventId& from, std::uint64_t ordinal);
  static std::optional<EventId> parse(
      std::string_view text);  // "018f...-..."; nothing when it is not a UUID
  friend constexpr auto operator<=>(const EventId&, const EventId&) = default;
};
std::string to_string(const EventId& id);

// A tag is a short text by which a query finds an event. The usual form is key:value, and
// Tag{"course", id} makes it. (A type of its own: `std::vector<std::string> tags{{"a", "b"}}`
// compiles, and reads the two literals as a range.)
struct Tag {
  std::string text{};
  Tag(const char* t) : text(t) {}
  Tag(std::string t) : text(std::move(t)) {}
  Tag(std::string_view key, std::string_view value)
      : text(std::string(key).append(":").append(value)) {}
  friend auto operator<=>(const Tag&, const Tag&) = default;
};

// An event that is to be written. It has its identity from the moment it is made: appending the
// same NewEvent again is recognised as a retry, also after a restart.
struct NewEvent {
  // 1..500 bytes of UTF-8 without control characters, not beginning with `$`; may be left empty
  // where the call names the stream.
  std::string stream{};
  std::string type{};       // 1..255 bytes of UTF-8 without control characters
  std::string data{};       // any bytes, up to OpenOptions::event_bytes_max with all other fields
  std::string metadata{};   // any bytes; esctl and SQL expect JSON
  std::vector<Tag> tags{};  // up to 64 of 1..255 bytes of UTF-8; a repeated one is kept once
  std::string content_type{};  // of data, up to 255 bytes; empty = "application/json"
  std::optional<Time> time{};  // the author's; without it the commit's time is reported
  EventId id = EventId::make();
};

// A stored event, as it lies in the log. A view of two words: copy it freely, but it and everything
// it returns are valid only while the Batch it came from is alive (or, in for_each, until the
// handler returns). Nothing is decoded before it is asked for. Any thread.
class RecordedEvent {
 public:
  Position position() const;
  Version version() const;
  Time committed() const;  // the store's clock, never going back
  std::string_view stream() const;
  std::string_view type() const;
  const EventId& id() const;
  Time time() const;  // the author's, or committed() where none was given
  std::string_view data() const;
  std::string_view metadata() const;
  std::string_view content_type() const;
  std::vector<std::string_view> tags() const;
  // "c1" for tag("course") of an event tagged course:c1; of several, the first in byte order.
  std::optional<std::string_view> tag(std::string_view key) const;
  Position append() const;   // the first position of the append it was written with
  bool ends_append() const;  // whether it is that append's last event
  std::span<const std::byte> encoded()
      const;  // the whole event (protocol/event.capnp), to be passed on as it is

  // The event as its author made it, id and (where one was given) time included; it owns its bytes:
  // for tests, relays, and for what must outlive the batch.
  NewEvent copy() const;

  struct Stored;  // implement.h: for those who write an EventStore
  explicit RecordedEvent(const Stored* stored) : stored_(stored) {}

 private:
  const Stored* stored_;
};

}  // namespace esdb
