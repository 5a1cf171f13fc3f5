// Threads of the store: named, and deaf to signals, which belong to the program.
//
// Threads: any.
#pragma once

#include <functional>
#include <thread>

namespace esdb::storage {

// A thread that runs `body` with every signal blocked but those of its own faults. `name`: at most
// 15 bytes, for ps and gdb.
std::thread quiet_thread(const char* name, std::move_only_function<void()> body);

}  // namespace esdb::storage
