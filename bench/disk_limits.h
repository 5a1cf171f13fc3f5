// What the disk gives to bare system calls: the denominators of everything that is written or read.
//
// Files are made as the log makes its own: preallocated, zeroed, direct, where the file system has
// direct I/O. Memory is in huge pages and touched before anything is measured.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

#include "bench/latencies.h"

namespace esdb::bench {

inline constexpr std::size_t kUnitBytes = 4096;  // a write unit: the usual physical block

// Memory for I/O: aligned, touched, filled with 7s.
class TouchedMemory {
 public:
  explicit TouchedMemory(std::size_t bytes);
  ~TouchedMemory();
  TouchedMemory(const TouchedMemory&) = delete;
  TouchedMemory& operator=(const TouchedMemory&) = delete;
  std::byte* data() const { return data_; }

 private:
  std::size_t bytes_;
  std::byte* data_;
};

// A file of zeros in `directory`, on stable storage when this is made, gone with it.
class ZeroedFile {
 public:
  ZeroedFile(const std::string& directory, std::size_t bytes);
  ~ZeroedFile();
  ZeroedFile(const ZeroedFile&) = delete;
  ZeroedFile& operator=(const ZeroedFile&) = delete;
  int fd() const { return fd_; }
  std::size_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::size_t bytes_;
  int fd_ = -1;
};

// Durable writes of `bytes` each, one after another for `time`, each where none was before until
// the file is full.
Latencies durable_writes(const ZeroedFile& file, std::size_t bytes, Clock::duration time);
// The same in a file made for it.
Latencies durable_writes(const std::string& directory, std::size_t bytes, Clock::duration time);

// Bytes a second: 1 MiB at a time over zeroed space, without a sync.
double write_bandwidth(const ZeroedFile& file, Clock::duration time);

enum class PageCache { kWarm, kAround };
// Bytes a second: 1 MiB at a time, out of the page cache or around it.
double read_bandwidth(const ZeroedFile& file, PageCache cache, Clock::duration time);

struct RandomReads {
  double per_second = 0;
  Latencies latencies{};
};
// Blocks of 4 KiB at random places of these files, around the page cache or out of it, by so many
// threads.
RandomReads random_reads(std::span<const std::string> paths, std::size_t readers, PageCache cache,
                         Clock::duration time);

}  // namespace esdb::bench
