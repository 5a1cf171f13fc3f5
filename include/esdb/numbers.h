// Position and Version: two numbers that must never be confused, and the two clocks' time.
//
// Both count from 1; 0 is "nothing yet". They cannot be mixed, and both take a plain literal:
// Version{3}, after(0).
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

namespace esdb {

template <class Kind>
struct Ordinal {
  std::uint64_t value = 0;

  constexpr Ordinal() = default;
  constexpr Ordinal(std::uint64_t v) : value(v) {}  // implicit: `Expect::exactly(3)`
  constexpr explicit operator bool() const { return value != 0; }
  friend constexpr auto operator<=>(Ordinal, Ordinal) = default;
  friend std::string to_string(Ordinal n) { return std::to_string(n.value); }
};

// An event's place in the log.
using Position = Ordinal<struct PositionKind>;
// An event's place in its stream; of a stream: its last event's place.
using Version = Ordinal<struct VersionKind>;

using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

}  // namespace esdb
