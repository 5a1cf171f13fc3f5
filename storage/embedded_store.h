// The EventStore of this process: a directory, or memory.
//
// Threads: as EventStore.
#pragma once

#include <memory>
#include <string>

#include "esdb/event_store.h"

namespace esdb::storage {

class Io;

// `machine`: as Engine::open().
Result<std::unique_ptr<EventStore>> open_directory(const std::string& directory,
                                                   const OpenOptions& options,
                                                   Io* machine = nullptr);
Result<std::unique_ptr<EventStore>> open_memory(const OpenOptions& options);

}  // namespace esdb::storage
