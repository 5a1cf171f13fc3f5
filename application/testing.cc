#include "esdb/testing.h"

#include <algorithm>

namespace esdb::testing {
namespace {

std::vector<Tag> sorted_tags(const NewEvent& event) {
  auto tags = event.tags;
  std::ranges::sort(tags);
  tags.erase(std::ranges::unique(tags).begin(), tags.end());
  return tags;
}

}  // namespace

std::unique_ptr<EventStore> memory_store(Clock* clock) {
  return open("memory:", {.clock = clock}).value();
}

std::string describe(const std::vector<NewEvent>& events) {
  std::string text;
  for (const auto& event : events) {
    text += "  " + event.type;
    if (!event.data.empty()) text += " " + event.data;
    if (!event.stream.empty()) text += " in " + event.stream;
    const char* before = " tagged ";
    for (const auto& tag : sorted_tags(event)) text += std::exchange(before, ", ") + tag.text;
    text += "\n";
  }
  return text;
}

bool same(const std::vector<NewEvent>& a, const std::vector<NewEvent>& b) {
  return std::ranges::equal(a, b, [](const NewEvent& x, const NewEvent& y) {
    return x.stream == y.stream && x.type == y.type && x.data == y.data &&
           sorted_tags(x) == sorted_tags(y);
  });
}

std::vector<NewEvent> all_events(EventStore& store, Query query) {
  std::vector<NewEvent> events;
  store.for_each(std::move(query), {}, [&](RecordedEvent e) { events.push_back(e.copy()); })
      .value();
  return events;
}

}  // namespace esdb::testing
