// What a machine is like where a store lies on it: file system, device, limits. Read, not judged
// (diagnosis.h) and not tried (machine_trials.h).
//
// Threads: functions; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "esdb/numbers.h"

namespace esdb::storage {

// Where the system's own files are; tests make some up.
struct SystemRoots {
  std::string sys = "/sys";
  std::string proc = "/proc";
};

// One thing that was tried. 0: it works; else the errno.
using Tried = std::optional<int>;

struct MachineFacts {
  std::string directory{};  // what was looked at: the store's, or the nearest that is there

  // ---- the file system
  std::string file_system{};         // "ext4"; empty: not found out
  std::vector<std::string> mount{};  // its options
  std::string mounted_at{};
  long f_type = 0;  // statfs()
  std::uint64_t free_bytes{}, all_bytes{};

  // ---- the device; empty where there is none, or it does not say
  std::string device{};
  std::string write_cache{};  // "write back", "write through"
  std::optional<bool> fua{}, rotational{};
  std::uint64_t physical_block{};
  std::uint64_t write_unit{};  // of the store that lies there; 0: there is none

  // ---- limits and clocks
  std::uint64_t files_max{};               // descriptors; ~0: unlimited
  std::uint64_t memlock_max{};             // bytes; ~0: unlimited
  std::optional<int> io_uring_disabled{};  // kernel.io_uring_disabled
  std::string clock_source{};
  Time wall_clock{};

  // ---- tried
  Tried direct_io{}, durable_write{}, fallocate{}, io_uring{}, address_space{}, monotonic_clock{};
  std::vector<std::chrono::nanoseconds> write_times{};  // of durable writes of 4 KiB, sorted
};

MachineFacts read_facts(const std::string& directory, const SystemRoots& roots = {});

}  // namespace esdb::storage
