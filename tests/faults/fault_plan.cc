#include "tests/faults/fault_plan.h"

#include <cerrno>
#include <cstring>

namespace esdb::faults {

std::string to_string(const Fault& fault) {
  const std::string when = fault.for_ever ? " for ever" : " once";
  switch (fault.kind) {
    case Fault::Kind::kShortByOne:
      return "short by a byte" + when;
    case Fault::Kind::kShortByHalf:
      return "short by half" + when;
    case Fault::Kind::kError:
      break;
  }
  return std::string(::strerrorname_np(fault.error)) + when;
}

std::vector<Fault> all_faults() {
  std::vector<Fault> all;
  for (const bool for_ever : {false, true}) {
    for (const int error : {EIO, ENOSPC, EINTR, EAGAIN, ECANCELED})
      all.push_back({.kind = Fault::Kind::kError, .error = error, .for_ever = for_ever});
    all.push_back({.kind = Fault::Kind::kShortByOne, .for_ever = for_ever});
    all.push_back({.kind = Fault::Kind::kShortByHalf, .for_ever = for_ever});
  }
  return all;
}

std::string to_string(const Point& point) { return point.call + " #" + std::to_string(point.nth); }

void FaultPlan::count() {
  const std::lock_guard lock(mutex_);
  counted_.clear();
  state_ = State::kCounting;
}

void FaultPlan::arm(const Point& point, const Fault& fault) {
  const std::lock_guard lock(mutex_);
  counted_.clear();
  point_ = point;
  fault_ = fault;
  hit_ = false;
  state_ = State::kArmed;
}

void FaultPlan::disarm() { state_ = State::kIdle; }

std::uint64_t FaultPlan::calls() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t calls = 0;
  for (const auto& [call, counted] : counted_) calls += counted.times;
  return calls;
}

std::vector<Point> FaultPlan::points() const {
  const std::lock_guard lock(mutex_);
  std::vector<Point> all;
  for (const auto& [call, counted] : counted_)
    for (std::uint64_t nth = 1; nth <= counted.times; ++nth)
      all.push_back({.call = call, .nth = nth, .moves_bytes = counted.moves_bytes});
  return all;
}

std::optional<Fault> FaultPlan::turn(std::string_view call, bool moves_bytes) {
  if (state_.load() == State::kIdle) return std::nullopt;
  const std::lock_guard lock(mutex_);
  auto found = counted_.find(call);
  if (found == counted_.end()) found = counted_.emplace(std::string(call), Counted{}).first;
  auto& counted = found->second;
  ++counted.times;
  counted.moves_bytes = moves_bytes;
  if (state_.load() != State::kArmed) return std::nullopt;
  const bool here = call == point_.call && counted.times == point_.nth;
  if (here) hit_ = true;
  if (!here && !(hit_ && fault_.for_ever)) return std::nullopt;
  if (fault_.kind != Fault::Kind::kError && !moves_bytes) return std::nullopt;
  return fault_;
}

}  // namespace esdb::faults
