// Chance: what a random history draws from. The same seed gives the same draws.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace esdb::model {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}

  // 0 .. bound - 1
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : engine_() % bound; }
  bool percent(std::uint64_t of_a_hundred) { return below(100) < of_a_hundred; }
  template <class T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }
  std::uint64_t draw() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace esdb::model
