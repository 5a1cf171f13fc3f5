// A random history of frames for the tests of the index, and what is true of it, worked out by
// walking over all of it.
#pragma once

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "esdb/query.h"
#include "storage/generations.h"

namespace esdb::storage {

struct HistoryEvent {
  Position position{};
  Version version{};
  std::string stream{}, type{};
  std::vector<std::string> tags{};
};

struct HistoryFrame {
  FrameMark mark{};
  std::vector<HistoryEvent> events{};
  std::vector<std::pair<std::string, std::uint64_t>> tracking{};
};

class TermHistory {
 public:
  explicit TermHistory(std::uint64_t seed, std::size_t streams = 40)
      : random_(seed), streams_(streams) {}

  const std::vector<HistoryFrame>& frames() const { return frames_; }
  FrameMark last() const { return frames_.empty() ? FrameMark{} : frames_.back().mark; }

  const HistoryFrame& add_frame(std::size_t events_max = 12) {
    HistoryFrame frame;
    frame.mark = last();
    frame.mark.frame_number += 1;
    frame.mark.checksum = random_();
    frame.mark.epoch_id[0] = std::byte{7};
    if (random_() % 3 == 0) {
      const auto source = "source-" + std::to_string(random_() % 5);
      for (int i = 0; i < 2; ++i)  // the second one counts
        frame.tracking.emplace_back(source, tracked_[source] += 1 + random_() % 9);
    }
    const bool empty = !frame.tracking.empty() && random_() % 2 == 0;
    const auto count = empty ? 0 : 1 + random_() % events_max;
    for (std::size_t i = 0; i < count; ++i) frame.events.push_back(event(++frame.mark.last.value));
    return frames_.emplace_back(std::move(frame));
  }

  // What a log gave the newest frame instead.
  void set_last_mark(const FrameMark& mark) { frames_.back().mark = mark; }

  // The positions of a term's events up to the bound.
  std::vector<std::uint64_t> positions(TermClass kind, const std::string& text,
                                       Position bound) const {
    std::vector<std::uint64_t> found;
    for_each(bound, [&](const HistoryEvent& event) {
      if (carries(event, kind, text)) found.push_back(event.position.value);
    });
    return found;
  }
  std::set<std::string> texts(TermClass kind, Position bound) const {
    std::set<std::string> found;
    for_each(bound, [&](const HistoryEvent& event) {
      if (kind == TermClass::kStream) found.insert(event.stream);
      if (kind == TermClass::kCategory) found.insert(std::string(category_of(event.stream)));
      if (is_system(event.stream)) return;
      if (kind == TermClass::kType) found.insert(event.type);
      if (kind == TermClass::kTag) found.insert(event.tags.begin(), event.tags.end());
    });
    return found;
  }
  std::map<std::string, std::uint64_t> tracked(std::uint64_t frame_number) const {
    std::map<std::string, std::uint64_t> found;
    for (const auto& frame : frames_)
      if (frame.mark.frame_number <= frame_number)
        for (const auto& [source, position] : frame.tracking) found[source] = position;
    return found;
  }
  std::uint64_t system_events(Position bound) const {
    std::uint64_t count = 0;
    for_each(bound, [&](const HistoryEvent& event) { count += is_system(event.stream); });
    return count;
  }
  std::uint64_t user_streams(Position bound) const {
    std::uint64_t count = 0;
    for (const auto& name : texts(TermClass::kStream, bound)) count += !is_system(name);
    return count;
  }

  std::uint64_t random(std::uint64_t below) { return random_() % below; }

 private:
  template <class Each>
  void for_each(Position bound, const Each& each) const {
    for (const auto& frame : frames_)
      for (const auto& event : frame.events)
        if (event.position <= bound) each(event);
  }
  static bool carries(const HistoryEvent& event, TermClass kind, const std::string& text) {
    if (kind == TermClass::kStream) return event.stream == text;
    if (kind == TermClass::kCategory) return category_of(event.stream) == text;
    if (is_system(event.stream)) return false;
    if (kind == TermClass::kType) return event.type == text;
    for (const auto& tag : event.tags)
      if (tag == text) return true;
    return false;
  }
  HistoryEvent event(std::uint64_t position) {
    // The lower a stream's number, the more events it has.
    const auto number = std::min(random_() % streams_, random_() % streams_);
    HistoryEvent event{.position = position};
    event.stream = number % 13 == 12 ? "$sys-" + std::to_string(number)
                                     : (number % 3 ? "order-" : "cart") + std::to_string(number);
    event.version = ++versions_[event.stream];
    event.type = "Type" + std::to_string(random_() % 7);
    std::set<std::string> tags;
    for (std::size_t i = random_() % 3; i > 0; --i)
      tags.insert("tag:" + std::to_string(random_() % (position + 3)));
    event.tags.assign(tags.begin(), tags.end());
    return event;
  }

  std::mt19937_64 random_;
  std::size_t streams_;
  std::map<std::string, std::uint64_t> versions_;
  std::map<std::string, std::uint64_t> tracked_;
  std::vector<HistoryFrame> frames_;
};

inline void add_event(TailIndex& tail, const HistoryEvent& event) {
  std::vector<TermRef> tags;
  for (const auto& tag : event.tags) tags.push_back(term(TermClass::kTag, tag));
  tail.add({.position = event.position,
            .version = event.version,
            .stream = term(TermClass::kStream, event.stream),
            .category = term(TermClass::kCategory, category_of(event.stream)),
            .type = term(TermClass::kType, event.type),
            .tags = tags});
}

inline void add_frame(TailIndex& tail, const HistoryFrame& frame) {
  for (const auto& [source, position] : frame.tracking) tail.add_tracking(source, position);
  for (const auto& event : frame.events) add_event(tail, event);
  tail.end_frame(frame.mark);
}

}  // namespace esdb::storage
