// A busy neighbour: one thread that computes as long as it lives, as another tenant would.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

namespace esdb::bench {

class Neighbour {
 public:
  Neighbour()
      : thread_([this](const std::stop_token& stop) {
          std::uint64_t value = 1;
          while (!stop.stop_requested()) value = value * 6364136223846793005ULL + 1;
          value_.store(value);
        }) {}

 private:
  std::atomic<std::uint64_t> value_{0};
  std::jthread thread_;
};

// A neighbour where one is wanted.
inline std::unique_ptr<Neighbour> neighbour_of(bool wanted) {
  return wanted ? std::make_unique<Neighbour>() : nullptr;
}

}  // namespace esdb::bench
