// Named memory: stores in memory that several parts of one process open by the same name.
//
// A name means the same store for as long as somebody has it open; the last to close it ends it.
//
// Threads: any.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "esdb/event_store.h"

namespace esdb::client {

// The store of that name, made by `make` when nobody has it open.
Result<std::unique_ptr<EventStore>> open_named_memory(
    const std::string& name, const std::function<Result<std::unique_ptr<EventStore>>()>& make);

}  // namespace esdb::client
