// A population: a store to read from, filled once and shared by the cases that read it.
//
// Half of its events are in streams of 1,000, half in streams of 10, which take turns: a stream's
// events lie far apart. A hundred events carry the same tag, a quarter of them the same type, too.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "bench/scratch.h"
#include "esdb/query.h"

namespace esdb::bench {

class Population {
 public:
  explicit Population(std::uint64_t events) : events_(events) {}

  // Of the store; filled when it is asked for first.
  const std::string& directory();
  std::uint64_t events() const { return events_; }

  // Queries at random.
  Query short_stream(std::mt19937_64& random) const;
  Query long_stream(std::mt19937_64& random) const;
  Query tag(std::mt19937_64& random) const;
  Query tag_and_type(std::mt19937_64& random) const;

  static constexpr std::uint64_t kShort = 10, kLong = 1'000, kOfTag = 100;

 private:
  void fill() const;
  std::uint64_t short_streams() const { return std::max<std::uint64_t>(events_ / 2 / kShort, 1); }
  std::uint64_t long_streams() const { return std::max<std::uint64_t>(events_ / 2 / kLong, 1); }
  std::uint64_t tags() const { return std::max<std::uint64_t>(events_ / kOfTag, 1); }

  const std::uint64_t events_;
  const Scratch scratch_;
  std::string directory_;
};

}  // namespace esdb::bench
