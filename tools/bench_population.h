// Events that esctl bench writes in order to read them: streams of ten, and ten streams to a tag.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <stop_token>

#include "bench/authors.h"
#include "esdb/event_store.h"

namespace esdb::tools {

class BenchPopulation {
 public:
  static constexpr std::size_t kOfStream = 10, kOfTag = 100;  // events that are found

  // `shape`: names and data of the events. `streams`: wanted; fewer where their data is large.
  BenchPopulation(const bench::Shape& shape, std::size_t streams);

  // Writes them, in appends of at most so many bytes, and gives how many events that were: fewer
  // than all once it is stopped.
  Result<std::uint64_t> fill(EventStore& store, std::size_t append_bytes,
                             const std::stop_token& stop) const;

  Query stream_at_random(std::mt19937_64& random) const;
  Query tag_at_random(std::mt19937_64& random) const;

 private:
  bench::Shape shape_;
  std::size_t streams_;
};

}  // namespace esdb::tools
