#include "tests/end_to_end/known_answers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esdb/memory_view.h"
#include "esdb/projection.h"
#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

// What one pass over every event finds, whoever reads them.
class Recounted {
 public:
  void add(std::string_view stream, std::string_view type, std::uint64_t append,
           std::string_view correlation) {
    ++events_;
    ++types_[std::string(type)];
    ++versions_[std::string(stream)];
    if (type == "FileDeleted") {
      alive_.erase(std::string(stream));
    } else {
      alive_.emplace(stream);
    }
    const auto path = stream.substr(std::string_view("file-").size());
    ++components_[std::string(path.substr(0, path.find('/')))];
    correlations_.emplace(correlation);
    const auto size = ++appends_[append];
    if (size > largest_group_.first) largest_group_ = {size, std::string(correlation)};
  }

  void expect(const Answers& known) const {
    EXPECT_EQ(events_, known.events);
    EXPECT_EQ(versions_.size(), known.streams);
    EXPECT_EQ(types_, known.types);
    EXPECT_EQ(alive_.size(), known.paths_alive);
    EXPECT_EQ(appends_.size(), known.groups);
    EXPECT_EQ(correlations_.size(), known.groups);
    EXPECT_EQ(largest_group_, known.largest_group);
    EXPECT_EQ(std::count_if(versions_.begin(), versions_.end(),
                            [](const auto& stream) { return stream.second == 1; }),
              static_cast<std::ptrdiff_t>(known.streams_of_one_event));
    EXPECT_EQ(most(components_, known.components.size()), known.components);
    EXPECT_EQ(most(versions_, 1), std::vector{known.longest_stream});
  }

 private:
  static std::vector<Answers::Most> most(const Counts& counts, std::size_t how_many) {
    std::vector<Answers::Most> found;
    for (const auto& [name, count] : counts) found.emplace_back(count, name);
    std::sort(found.rbegin(), found.rend());
    found.resize(std::min(found.size(), how_many));
    return found;
  }

  std::uint64_t events_ = 0;
  Counts types_{}, versions_{}, components_{};
  std::set<std::string> alive_{}, correlations_{};
  std::map<std::uint64_t, std::uint64_t> appends_{};  // events by first position
  Answers::Most largest_group_{};
};

std::string_view unquoted(std::string_view raw) {
  return raw.size() < 2 ? raw : raw.substr(1, raw.size() - 2);
}

void expect_streams(EventStore& store, const Answers& known) {
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
  EXPECT_EQ(streams, known.streams);
  EXPECT_EQ(of_one_event, known.streams_of_one_event);
  EXPECT_EQ(Answers::Most(longest.version.value, longest.name), known.longest_stream);
}

void expect_types(EventStore& store, const Answers& known) {
  const auto page = store.terms(TermKind::kType);
  ASSERT_TRUE(page.has_value()) << page.error().message;
  Counts counts;
  for (const auto& term : page->terms) counts[term.text] = term.events;
  EXPECT_EQ(counts, known.types);
  for (const auto& [type, expected] : known.types) {
    const auto count = store.count(types({type}));
    ASSERT_TRUE(count.has_value()) << count.error().message;
    EXPECT_EQ(*count, expected) << type;
  }
}

void expect_events(EventStore& store, const Answers& known) {
  Recounted recounted;
  const auto read = store.for_each(everything(), {}, [&](RecordedEvent event) {
    recounted.add(event.stream(), event.type(), event.append().value,
                  unquoted(raw_value(event.metadata(), "correlationId")));
  });
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->considered(), Position{known.events});
  recounted.expect(known);
}

void expect_paths_alive(EventStore& store, const Answers& known) {
  MemoryView<std::set<std::string>> view;
  Projection alive(store, "paths alive", category("file"), view);
  alive.on("FileDeleted",
           [&](RecordedEvent event) { view.state().erase(std::string(event.stream())); });
  alive.otherwise([&](RecordedEvent event) { view.state().emplace(event.stream()); });
  const auto reached = alive.run_until_caught_up();
  ASSERT_TRUE(reached.has_value()) << reached.error().message;
  EXPECT_EQ(*reached, Position{known.events});
  EXPECT_EQ(view.committed()->size(), known.paths_alive);
}

}  // namespace

bool history_is_there() { return std::filesystem::exists(kHistory); }

const Answers& history_answers() {
  static const Answers known{
      .events = 307'008,
      .streams = 28'626,
      .groups = 61'700,
      .types = {{"FileAdded", 33'909}, {"FileDeleted", 16'136}, {"FileModified", 256'963}},
      .paths_alive = 15'449,
      .streams_of_one_event = 3'178,
      .longest_stream = {873, "file-src/storage/data_table.cpp"},
      .largest_group = {7'379, "00a605270719941c"},
      .components = {{166'113, "src"}, {52'993, "test"}, {27'152, "extension"}}};
  return known;
}

const Answers& sample_answers() {
  static const Answers known{
      .events = 2'010,
      .streams = 669,
      .groups = 115,
      .types = {{"FileAdded", 669}, {"FileDeleted", 64}, {"FileModified", 1'277}},
      .paths_alive = 605,
      .streams_of_one_event = 416,
      .longest_stream = {34, "file-src/execution/expression_executor.cpp"},
      .largest_group = {392, "ba75d81601913782"},
      .components = {{1'419, "src"}, {400, "third_party"}, {171, "test"}}};
  return known;
}

void expect_known_answers(EventStore& store, const Answers& known) {
  const auto statistics = store.statistics();
  ASSERT_TRUE(statistics.has_value()) << statistics.error().message;
  EXPECT_EQ(statistics->events, known.events);
  EXPECT_EQ(statistics->streams, known.streams);
  expect_streams(store, known);
  expect_types(store, known);
  expect_events(store, known);
  expect_paths_alive(store, known);
}

void expect_known_answers_of_esctl(const std::string& store, const Answers& known,
                                   const fixtures::ScratchDirectory& scratch) {
  const auto told = [&store](std::vector<std::string> words) {
    words.insert(words.end(), {"--store", store, "--json"});
    const auto outcome = run_esctl(words);
    EXPECT_TRUE(outcome.ok()) << words[0] << ": " << outcome.err;
    return outcome.out;
  };
  const auto stats = told({"stats"});
  EXPECT_EQ(raw_value(stats, "events"), std::to_string(known.events));
  EXPECT_EQ(raw_value(stats, "streams"), std::to_string(known.streams));
  EXPECT_EQ(raw_value(told({"count"}), "count"), std::to_string(known.events));
  EXPECT_EQ(raw_value(told({"info", known.longest_stream.second}), "version"),
            std::to_string(known.longest_stream.first));

  const LineFile streams(scratch.write("streams.ndjson", told({"streams"})));
  EXPECT_EQ(streams.size(), known.streams);
  std::uint64_t of_one_event = 0, most = 0;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const auto version = std::stoull(std::string(raw_value(streams.line(i), "version")));
    if (version == 1) ++of_one_event;
    most = std::max<std::uint64_t>(most, version);
  }
  EXPECT_EQ(of_one_event, known.streams_of_one_event);
  EXPECT_EQ(most, known.longest_stream.first);

  const auto types = told({"types"});
  for (const auto& [type, count] : known.types) {
    EXPECT_NE(types.find("\"" + type + "\",\"events\":" + std::to_string(count)), types.npos)
        << types;
    EXPECT_EQ(raw_value(told({"count", "--type", type}), "count"), std::to_string(count));
  }

  const auto exported = scratch.path("told.ndjson.zst");
  told({"export", "-o", exported});
  Recounted recounted;
  const LineFile events(exported);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto line = events.line(i);
    recounted.add(unquoted(raw_value(line, "stream")), unquoted(raw_value(line, "type")),
                  std::stoull(std::string(raw_value(line, "append"))),
                  unquoted(raw_value(raw_value(line, "metadata"), "correlationId")));
  }
  recounted.expect(known);
}

}  // namespace esdb::end_to_end
