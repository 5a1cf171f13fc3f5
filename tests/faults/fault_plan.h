// FaultPlan: which call of the machine goes wrong, and how. A first run counts the calls; every one
// of them is a point at which a later run can be made to fail, once or from there on.
//
// A point is a call's name, with the file it is about, and how often that call came before: threads
// of the store race with each other, and each call's own count does not depend on the others'.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace esdb::faults {

struct Fault {
  enum class Kind : std::uint8_t { kError, kShortByOne, kShortByHalf };
  Kind kind{};
  int error{};  // kError
  bool for_ever{};
};
std::string to_string(const Fault& fault);
// The seven of them, once and for ever.
std::vector<Fault> all_faults();

struct Point {
  std::string call{};
  std::uint64_t nth{};       // 1 is the first
  bool moves_bytes = false;  // it can be short
  friend bool operator==(const Point&, const Point&) = default;
};
std::string to_string(const Point& point);

class FaultPlan {
 public:
  void count();  // calls, from now on
  void arm(const Point& point, const Fault& fault);
  void disarm();  // nothing fails any more
  bool is_armed() const { return state_.load() == State::kArmed; }
  bool was_hit() const { return hit_.load(); }
  std::uint64_t calls() const;        // counted so far
  std::vector<Point> points() const;  // counted so far

  // A call's turn: what goes wrong with it; nothing: it is to be done.
  std::optional<Fault> turn(std::string_view call, bool moves_bytes);

 private:
  enum class State : std::uint8_t { kIdle, kCounting, kArmed };
  struct Counted {
    std::uint64_t times{};
    bool moves_bytes = false;
  };

  std::atomic<State> state_{State::kIdle};
  std::atomic<bool> hit_{false};
  mutable std::mutex mutex_;
  std::map<std::string, Counted, std::less<>> counted_{};  // under mutex_
  Point point_{};                                          // under mutex_
  Fault fault_{};                                          // under mutex_
};

}  // namespace esdb::faults
