// What a store's directory lies on, where that is no place for it: a network, memory, a container's
// own layer. LMDB forbids remote file systems, and what is not on a device is gone when it ends.
//
// Threads: functions; any thread.
#pragma once

#include <string>
#include <string_view>

namespace esdb::storage {

// Of statfs()'s f_type: what is wrong with it; empty where nothing is known to be.
std::string_view file_system_objection(long f_type);

// A line for the log, naming the directory; empty where nothing is wrong or it cannot be asked.
std::string file_system_warning(const std::string& directory);

}  // namespace esdb::storage
