// How an id of the store is written for people and checkpoints: 8-4-4-4-12 hexadecimal digits, the
// same as an event's.
//
// Threads: any.
#pragma once

#include <string>

#include "esdb/event.h"
#include "storage/format.h"

namespace esdb::storage {

inline std::string to_text(const Uuid& id) {
  return id == Uuid{} ? std::string() : to_string(EventId{.bytes = id});
}

}  // namespace esdb::storage
