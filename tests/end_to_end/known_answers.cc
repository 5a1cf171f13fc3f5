#include "tests/end_to_end/known_answers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "esdb/memory_view.h"
#include "esdb/projection.h"
#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/process.h"

namespace esdb::end_to_end {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

constexpr std::uint64_t kPathsAlive = 15'449;
constexpr std::uint64_t kStreamsOfOneEvent = 3'178;
constexpr std::uint64_t kLongestStream = 873;
constexpr const char* kLongestStreamName = "file-src/storage/data_table.cpp";
constexpr std::uint64_t kLargestGroup = 7'379;
constexpr const char* kLargestGroupName = "00a605270719941c";

const Counts& known_types() {
  static const Counts counts = {
      {"FileAdded", 33'909}, {"FileDeleted", 16'136}, {"FileModified", 256'963}};
  return counts;
}

void expect_streams(EventStore& store) {
  std::uint64_t streams = 0, of_one_event = 0;
  StreamInfo longest;
  std::string after;
  do {
    const auto page = store.streams("file-", after);
    ASSERT_TRUE(page.has_value()) << page.error().message;
    for (const auto& info : page->streams) {
      ++streams;
      if (info.version == Version{1}) ++of_one_event;
      if (info.version > longest.version) longest = info;
    }
    after = page->next;
  } while (!after.empty());
  EXPECT_EQ(streams, kHistoryStreams);
  EXPECT_EQ(of_one_event, kStreamsOfOneEvent);
  EXPECT_EQ(longest.name, kLongestStreamName);
  EXPECT_EQ(longest.version, Version{kLongestStream});
}

void expect_types(EventStore& store) {
  const auto page = store.terms(TermKind::kType);
  ASSERT_TRUE(page.has_value()) << page.error().message;
  Counts counts;
  for (const auto& term : page->terms) counts[term.text] = term.events;
  EXPECT_EQ(counts, known_types());
  for (const auto& [type, expected] : known_types()) {
    const auto count = store.count(types({type}));
    ASSERT_TRUE(count.has_value()) << count.error().message;
    EXPECT_EQ(*count, expected) << type;
  }
}

// One pass over everything: groups, and the paths' first components.
void expect_events(EventStore& store) {
  Counts components;
  std::map<std::uint64_t, std::uint64_t> appends;  // events by first position
  std::set<std::string> correlations;
  std::pair<std::uint64_t, std::string> largest;
  const auto read = store.for_each(everything(), {}, [&](RecordedEvent event) {
    const auto path = event.stream().substr(std::string_view("file-").size());
    ++components[std::string(path.substr(0, path.find('/')))];
    auto group = raw_value(event.metadata(), "correlationId");
    group = group.substr(1, group.size() - 2);
    correlations.emplace(group);
    const auto size = ++appends[event.append().value];
    if (size > largest.first) largest = {size, std::string(group)};
  });
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->considered(), Position{kHistoryEvents});
  EXPECT_EQ(appends.size(), kHistoryCorrelations);
  EXPECT_EQ(correlations.size(), kHistoryCorrelations);
  EXPECT_EQ(largest, std::pair(kLargestGroup, std::string(kLargestGroupName)));

  std::vector<std::pair<std::uint64_t, std::string>> most;
  for (const auto& [name, count] : components) most.emplace_back(count, name);
  std::sort(most.rbegin(), most.rend());
  most.resize(3);
  EXPECT_EQ(most, (std::vector<std::pair<std::uint64_t, std::string>>{
                      {166'113, "src"}, {52'993, "test"}, {27'152, "extension"}}));
}

void expect_paths_alive(EventStore& store) {
  MemoryView<std::set<std::string>> view;
  Projection alive(store, "paths alive", category("file"), view);
  alive.on("FileDeleted",
           [&](RecordedEvent event) { view.state().erase(std::string(event.stream())); });
  alive.otherwise([&](RecordedEvent event) { view.state().emplace(event.stream()); });
  const auto reached = alive.run_until_caught_up();
  ASSERT_TRUE(reached.has_value()) << reached.error().message;
  EXPECT_EQ(*reached, Position{kHistoryEvents});
  EXPECT_EQ(view.committed()->size(), kPathsAlive);
}

}  // namespace

bool history_is_there() { return std::filesystem::exists(kHistory); }

void expect_known_answers(EventStore& store) {
  const auto statistics = store.statistics();
  ASSERT_TRUE(statistics.has_value()) << statistics.error().message;
  EXPECT_EQ(statistics->events, kHistoryEvents);
  EXPECT_EQ(statistics->streams, kHistoryStreams);
  expect_streams(store);
  expect_types(store);
  expect_events(store);
  expect_paths_alive(store);
}

void expect_known_answers_of_esctl(const std::string& store) {
  const auto told = [&store](std::vector<std::string> words) {
    words.insert(words.end(), {"--store", store, "--json"});
    const auto outcome = run_esctl(words);
    EXPECT_TRUE(outcome.ok()) << words[0] << ": " << outcome.err;
    return outcome.out;
  };
  const auto stats = told({"stats"});
  EXPECT_EQ(raw_value(stats, "events"), std::to_string(kHistoryEvents));
  EXPECT_EQ(raw_value(stats, "streams"), std::to_string(kHistoryStreams));
  EXPECT_EQ(raw_value(told({"info", kLongestStreamName}), "version"),
            std::to_string(kLongestStream));
  const auto streams = told({"streams"});
  EXPECT_EQ(std::count(streams.begin(), streams.end(), '\n'),
            static_cast<std::ptrdiff_t>(kHistoryStreams));
  const auto types = told({"types"});
  for (const auto& [type, count] : known_types())
    EXPECT_NE(types.find("\"" + type + "\",\"events\":" + std::to_string(count)), types.npos)
        << types;
}

}  // namespace esdb::end_to_end
