// For those who implement an EventStore: what a stored event and a cursor are made of. Programs
// that use a store need none of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "esdb/cursor.h"
#include "esdb/event.h"

namespace esdb {

// One event of a batch. `encoded` points into the batch's bytes, which are checked (a record's
// checksum, or EncodedEvent::check for bytes from elsewhere) before a Stored is made of them.
struct RecordedEvent::Stored {
  Position position{};
  Version version{};
  Time committed{};
  std::uint32_t ordinal{};  // its place in its append, from 0
  bool ends_append{};
  EventId id{};
  std::span<const std::byte> encoded{};  // 8-byte aligned: protocol/event.capnp
};

// The memory of one batch: bytes, the events in them, and the list that Batch shows. Filled by its
// maker, then frozen: to_events() hands it to a Batch, whose copies keep it alive.
struct BatchMemory {
  std::vector<std::unique_ptr<std::uint64_t[]>> bytes{};  // blocks, 8-byte aligned, never moved
  std::vector<RecordedEvent::Stored> stored{};
  Batch::Events events{};

  static std::shared_ptr<const Batch::Events> to_events(std::shared_ptr<BatchMemory> memory) {
    memory->events.reserve(memory->stored.size());
    for (const auto& event : memory->stored) memory->events.push_back(&event);
    return {memory, &memory->events};
  }
};

// One reader's place. Same contract as Cursor: one call at a time, cancel() from any thread, an
// error does not move it, the destructor cancels a next() in flight and waits for its completion
// to have run or to be dropped.
struct Cursor::State {
  virtual ~State() = default;
  virtual Result<Batch> next(const NextOptions& options) = 0;
  virtual void next(const NextOptions& options, Completion<Batch> done) = 0;
  virtual void cancel() = 0;
};

}  // namespace esdb
