// What a well-behaved client says to a server: inputs of the fuzzer of RPC bytes.
//
// Threads: one.
#pragma once

#include <string>
#include <vector>

namespace esdb::fuzz {

// Several conversations, each as the bytes that crossed, and as its messages.
std::vector<std::string> spoken();

}  // namespace esdb::fuzz
