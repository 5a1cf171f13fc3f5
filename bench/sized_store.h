// A sized store: so many events over a tenth as many streams, at random, a hundred to a tag; what
// depends on size is measured on it. Filled once, 512 events an append, and that is timed, too.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/append_load.h"
#include "bench/scratch.h"
#include "esdb/query.h"

namespace esdb::bench {

// What lies on the disk, blocks that are only reserved included.
struct DiskBytes {
  std::uint64_t log = 0, index = 0;
  std::uint64_t both() const { return log + index; }
};
DiskBytes disk_bytes(const std::string& store_directory);
std::vector<std::string> segment_paths(const std::string& store_directory);

struct Filled {
  Appends appends;
  double events_until_acknowledged_per_s = 0;
  double events_until_indexed_per_s = 0;  // the wait for the last of the index included
  std::uint64_t log_bytes = 0;            // as written, without what is prepared
};
// Appends `events` to the store, and waits until the index on disk has them.
Filled fill(EventStore& store, const AppendLoad& load);

// Its queries, also for a process that has only the numbers.
struct SizedQueries {
  std::uint64_t events = 0;
  // Those a warm read may choose from: so few that memory holds what they find.
  static constexpr std::uint64_t kWarm = 5'000;

  std::uint64_t streams() const { return std::max<std::uint64_t>(events / 10, 1); }
  std::uint64_t tags() const { return std::max<std::uint64_t>(events / 100, 1); }
  Query a_stream(std::mt19937_64& random, std::uint64_t among) const;
  Query a_tag(std::mt19937_64& random, std::uint64_t among) const;
  Query a_tag_and_type(std::mt19937_64& random, std::uint64_t among) const;
};

class SizedStore;

// The disk has room for one sized store: filling another removes the one before.
struct Room {
  SizedStore* taken_by = nullptr;
};

class SizedStore {
 public:
  SizedStore(std::uint64_t events, std::shared_ptr<Room> room)
      : queries_{events}, room_(std::move(room)) {}

  // Fills it where that was not done yet.
  const Filled& filled();
  const std::string& directory() { return filled(), directory_; }
  std::unique_ptr<EventStore> open(std::size_t memory = kMemoryDefault);
  std::uint64_t events() const { return queries_.events; }
  const SizedQueries& queries() const { return queries_; }
  Shape shape() const { return {.streams = queries_.streams(), .tags = queries_.tags()}; }

 private:
  const SizedQueries queries_;
  const std::shared_ptr<Room> room_;
  std::unique_ptr<Scratch> scratch_;  // while it has the room
  std::string directory_;
  Filled filled_;
};

}  // namespace esdb::bench
