// Where threads run: everything that a thread starts while it is pinned, processes included, shares
// its one CPU.
//
// On an idle machine a hop between two CPUs costs what it takes to wake one; on one CPU it costs a
// switch. Figures of single requests are told for both.
#pragma once

#include <sched.h>

#include <cstddef>
#include <string_view>

namespace esdb::bench {

enum class Placement { kFree, kOneCpu };

inline std::string_view to_string(Placement placement) {
  return placement == Placement::kFree ? "free" : "one";
}

class Pinned {
 public:
  explicit Pinned(Placement placement) {
    ::sched_getaffinity(0, sizeof before_, &before_);
    if (placement == Placement::kFree) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &before_)) {
        CPU_SET(cpu, &one);
        break;
      }
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~Pinned() { ::sched_setaffinity(0, sizeof before_, &before_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  cpu_set_t before_{};
};

}  // namespace esdb::bench
