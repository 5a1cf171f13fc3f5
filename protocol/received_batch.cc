#include "protocol/received_batch.h"

#include <span>
#include <string>
#include <utility>

#include "esdb/implement.h"
#include "protocol/encoded_event.h"

namespace esdb::protocol {
namespace {

std::unexpected<Error> not_a_batch(const std::string& what) {
  return std::unexpected(Error{.code = ErrorCode::kCorrupt,
                               .message = "the server sent a batch that cannot be right (" + what +
                                          "): the server or the connection is at fault"});
}

bool goes_on(Direction direction, std::uint64_t from, std::uint64_t to) {
  return to != 0 && (from == 0 || (direction == Direction::kForwards ? from < to : to < from));
}

}  // namespace

Result<esdb::Batch> open(ReceivedBatch received, Direction direction, Position seen) {
  auto memory = std::make_shared<BatchMemory>();
  std::span<const std::byte> rest{reinterpret_cast<const std::byte*>(received.events.get()),
                                  received.bytes};
  memory->stored.reserve(received.places.size());
  std::uint64_t last = seen.value;
  for (const auto& place : received.places) {
    if (place.bytes % 8 != 0 || place.ordinal / 2 >= place.position)
      return not_a_batch("no event can have that size or place");
    if (place.bytes > rest.size()) return not_a_batch("it ends within an event");
    const auto encoded = rest.first(place.bytes);
    rest = rest.subspan(place.bytes);
    if (!has_accepted_layout(encoded))
      return not_a_batch("the event at position " + std::to_string(place.position) +
                         " is not laid out as one");
    if (!goes_on(direction, last, place.position))
      return not_a_batch("position " + std::to_string(place.position) + " follows " +
                         std::to_string(last));
    last = place.position;
    memory->stored.push_back({.position = place.position,
                              .version = place.version,
                              .committed = Time{std::chrono::nanoseconds{place.committed}},
                              .ordinal = place.ordinal / 2,
                              .ends_append = place.ordinal % 2 == 1,
                              .id = id_of(encoded),
                              .encoded = encoded});
  }
  if (!rest.empty()) return not_a_batch("bytes follow its last event");
  memory->bytes.push_back(std::move(received.events));
  return esdb::Batch(BatchMemory::to_events(std::move(memory)), std::move(received.progress));
}

}  // namespace esdb::protocol
