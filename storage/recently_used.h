// RecentlyUsed: values by their number, the last so many of those that were used.
//
// Threads: one at a time. What leaves is handed out, so that a caller may free it behind its lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <unordered_map>
#include <utility>

namespace esdb::storage {

template <class Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(std::size_t most) : most_(most) {}

  // Until the next call; null: not there.
  const Value* find(std::uint64_t number) {
    const auto found = places_.find(number);
    if (found == places_.end()) return nullptr;
    kept_.splice(kept_.begin(), kept_, found->second);
    return &found->second->value;
  }

  // What is not kept for it: the value not used for longest where there is no more room, or this
  // one, where there is one of its number already.
  Value add(std::uint64_t number, Value value) {
    if (most_ == 0 || places_.contains(number)) return value;
    Value oldest{};
    if (kept_.size() < most_) {
      kept_.push_front({number, std::move(value)});
    } else {
      kept_.splice(kept_.begin(), kept_, std::prev(kept_.end()));
      places_.erase(kept_.front().number);
      oldest = std::exchange(kept_.front().value, std::move(value));
      kept_.front().number = number;
    }
    places_.emplace(number, kept_.begin());
    return oldest;
  }

  // All of them: none is left.
  RecentlyUsed take_all() { return std::exchange(*this, RecentlyUsed(most_)); }

 private:
  struct Kept {
    std::uint64_t number{};
    Value value{};
  };
  std::size_t most_;
  std::list<Kept> kept_{};  // the newest use first
  std::unordered_map<std::uint64_t, typename std::list<Kept>::iterator> places_{};
};

}  // namespace esdb::storage
