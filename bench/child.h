// Children: parts of a measurement that need a process of their own, because its memory is bounded
// or because it is killed. The program runs itself, and reads what the child wrote to a file.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bench/latencies.h"

namespace esdb::bench {

struct ChildReport {
  std::map<std::string, double> figures{};
  std::map<std::string, Latencies> latencies{};
};

struct ChildOrder {
  std::string part;        // what to do: one of those in child.cc
  std::string directory;   // of the store
  std::uint64_t events{};  // that it was filled with
  std::size_t memory{};    // of the group; 0: unbounded
};

// What main() returns where the command line is that of a child; -1 where it is not.
int run_as_child(int argc, char** argv);

// Runs a child until it ends. NotHere where memory cannot be bounded.
ChildReport run_child(const ChildOrder& order);
// A child that appends as long as it lives, killed after so long.
void append_and_crash(const std::string& directory, std::uint64_t events, Clock::duration time);

}  // namespace esdb::bench
