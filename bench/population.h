// A population: a store to read from, filled once and shared by the cases that read it.
//
// Half of its events are in streams of 1,000, half in streams of 10, which take turns: a stream's
// events lie far apart. A hundred events carry the same tag, a quarter of them the same type, too.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <random>
#include <string>

#include "bench/authors.h"
#include "bench/scratch.h"
#include "esdb/query.h"

namespace esdb::bench {

class Population {
 public:
  explicit Population(std::uint64_t events) : events_(events) {}

  // Of the store; filled when it is asked for first.
  const std::string& directory();

  // Queries at random.
  Query short_stream(std::mt19937_64& random) const;
  Query long_stream(std::mt19937_64& random) const;
  Query tag(std::mt19937_64& random) const;
  Query tag_and_type(std::mt19937_64& random) const;

  // How many events each of these queries finds at least: a small population's tags do not divide
  // it without a rest.
  std::uint64_t least_of_short_stream() const { return kShort; }
  std::uint64_t least_of_long_stream() const { return kLong; }
  std::uint64_t least_of_tag() const { return events() / tags(); }
  std::uint64_t least_of_tag_and_type() const { return least_of_tag() / std::size(kTypes); }

 private:
  static constexpr std::uint64_t kShort = 10, kLong = 1'000, kOfTag = 100;

  void fill() const;
  // In the store: whole streams, so somewhat more or less than what was asked for.
  std::uint64_t events() const { return short_streams() * kShort + long_streams() * kLong; }
  std::uint64_t short_streams() const { return std::max<std::uint64_t>(events_ / 2 / kShort, 1); }
  std::uint64_t long_streams() const { return std::max<std::uint64_t>(events_ / 2 / kLong, 1); }
  std::uint64_t tags() const { return std::max<std::uint64_t>(events_ / kOfTag, 1); }

  const std::uint64_t events_;
  const Scratch scratch_;
  std::string directory_;
};

}  // namespace esdb::bench
