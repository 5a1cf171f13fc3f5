// Encoded appends from elsewhere. What is adopted holds nothing that the limits forbid, says the
// same when it is adopted again, and is what encoding its own contents gives.
#include <vector>

#include "esdb/limits.h"
#include "protocol/encoded_append.h"
#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "tests/fuzz/input.h"

namespace esdb {
namespace {

using Parts = EncodedAppend::Parts;

void check_equal(const Parts& a, const Parts& b) {
  ESDB_CHECK(a.events.size() == b.events.size());
  ESDB_CHECK(a.event_bytes == b.event_bytes && a.event_bytes_max == b.event_bytes_max);
  for (std::size_t i = 0; i < a.events.size(); ++i) {
    const auto &x = a.events[i], &y = b.events[i];
    ESDB_CHECK(std::ranges::equal(x.encoded, y.encoded) && std::ranges::equal(x.tags, y.tags));
    ESDB_CHECK(x.id == y.id && x.stream == y.stream && x.type == y.type);
    ESDB_CHECK(x.hash == y.hash && x.fingerprint == y.fingerprint);
  }
  ESDB_CHECK(a.checks.size() == b.checks.size());
  for (std::size_t i = 0; i < a.checks.size(); ++i) {
    const auto &x = a.checks[i], &y = b.checks[i];
    ESDB_CHECK(x.kind == y.kind && x.name == y.name && x.after == y.after);
    ESDB_CHECK(x.expect.kind() == y.expect.kind() && x.expect.version() == y.expect.version());
    ESDB_CHECK(to_string(x.query) == to_string(y.query));
  }
  ESDB_CHECK(a.tracking.size() == b.tracking.size());
  for (std::size_t i = 0; i < a.tracking.size(); ++i) {
    const auto &x = a.tracking[i], &y = b.tracking[i];
    ESDB_CHECK(x.source == y.source && x.position == y.position && x.after == y.after);
  }
}

NewEvent event_of(std::span<const std::byte> encoded) {
  NewEvent event{.stream = std::string(protocol::stream_of(encoded)),
                 .type = std::string(protocol::type_of(encoded)),
                 .data = std::string(protocol::data_of(encoded)),
                 .metadata = std::string(protocol::metadata_of(encoded)),
                 .content_type = std::string(protocol::content_type_of(encoded)),
                 .time = protocol::time_of(encoded),
                 .id = protocol::id_of(encoded)};
  for (const auto tag : protocol::tags_of(encoded)) event.tags.emplace_back(std::string(tag));
  return event;
}

void check_append(std::span<const std::byte> given) {
  const auto adopted = EncodedAppend::adopt({given.begin(), given.end()});
  if (!adopted) return;
  const auto& parts = *adopted->parts;
  ESDB_CHECK(parts.checks.size() <= kChecksMax && parts.tracking.size() <= kTrackingMax);
  ESDB_CHECK(!parts.events.empty() || !parts.tracking.empty());

  AppendRequest request{.checks = parts.checks, .tracking = parts.tracking};
  for (const auto& event : parts.events) {
    ESDB_CHECK(protocol::has_accepted_layout(event.encoded));
    ESDB_CHECK(protocol::hash_of(event.encoded) == event.hash);
    request.events.push_back(event_of(event.encoded));
  }
  const auto again = EncodedAppend::adopt({adopted->bytes().begin(), adopted->bytes().end()});
  ESDB_CHECK(again.has_value());
  check_equal(*again->parts, parts);

  const auto encoded = EncodedAppend::encode(request);
  ESDB_CHECK(encoded.has_value());
  check_equal(*encoded->parts, parts);
  const auto back = EncodedAppend::adopt({encoded->bytes().begin(), encoded->bytes().end()});
  ESDB_CHECK(back.has_value());
  ESDB_CHECK(back->parts->recoded.empty());
  check_equal(*back->parts, parts);
}

}  // namespace
}  // namespace esdb

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::check_append(std::as_bytes(std::span(data, size)));
  return 0;
}
