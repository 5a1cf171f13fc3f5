// A closed store of several segments whose events are known, for tests that damage its files and
// look at what is left of it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "esdb/event_store.h"
#include "storage/embedded_store.h"
#include "storage/inspect.h"
#include "storage/segment_file.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {

class StoreToDamage {
 public:
  static constexpr std::uint64_t kEvents = 1000;  // in commits of ten, of four kilobytes each

  struct Known {
    std::string stream{}, data{};
    Version version{};
  };

  StoreToDamage() {
    auto store = open();
    write(*store, kEvents);
    last_checkpoint = checkpoint_at(*store, kEvents);
  }

  std::unique_ptr<EventStore> open(Access access = Access::kReadWrite) {
    auto store = try_open(access);
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  Result<std::unique_ptr<EventStore>> try_open(Access access = Access::kReadWrite) {
    return open_directory(path, {.access = access,
                                 .memory = kMemoryMin,
                                 .segment_bytes = kSegmentBytesMin,
                                 .event_bytes_max = kSegmentBytesMin / 4,
                                 .append_bytes_max = kSegmentBytesMin / 4});
  }

  void write(EventStore& store, std::uint64_t events) {
    for (std::uint64_t done = 0; done < events; done += 10) {
      AppendRequest request;
      for (int i = 0; i < 10; ++i) {
        const auto number = known.size() + 1;
        const auto stream = "s-" + std::to_string(number % 7);
        Known event{.stream = stream,
                    .data = std::to_string(number) + std::string(4000, 'x'),
                    .version = heads[stream].value + 1};
        heads[stream] = event.version;
        request.events.push_back({.stream = stream, .type = "T", .data = event.data});
        known.push_back(std::move(event));
      }
      const auto done_ = store.append(request);
      ASSERT_TRUE(done_.has_value()) << done_.error().message;
    }
  }

  // What a reader that has seen the event at this position keeps.
  static Checkpoint checkpoint_at(EventStore& store, std::uint64_t position) {
    auto cursor = store.read(everything(), {.start = Start::after(position - 1), .limit = 1});
    const auto batch = cursor.next();
    EXPECT_TRUE(batch.has_value()) << batch.error().message;
    return batch ? batch->checkpoint() : Checkpoint{};
  }

  std::string file(std::uint32_t number) const { return path + "/log/" + segment_name(number); }
  std::vector<InspectedSegment> segments() const { return inspect(path).value(); }
  // The number of the last segment that holds a frame.
  std::uint32_t open_segment() const {
    std::uint32_t last = 0;
    for (const auto& segment : segments())
      if (segment.frames > 0) last = segment.number;
    return last;
  }
  std::vector<InspectedFrame> frames(std::uint32_t number) const {
    std::vector<InspectedFrame> all;
    EXPECT_TRUE(inspect_frames(path, number, [&](const InspectedFrame& frame) -> Result<void> {
      all.push_back(frame);
      return {};
    }));
    return all;
  }

  void overwrite(std::uint32_t number, std::uint64_t offset, const std::string& bytes) const {
    std::fstream stream(file(number), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(offset))
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  void flip(std::uint32_t number, std::uint64_t offset) const {
    const auto byte = fixtures::read_file(file(number)).at(offset);
    overwrite(number, offset, std::string(1, static_cast<char>(byte ^ 1)));
  }
  void zero(std::uint32_t number, std::uint64_t from, std::uint64_t to) const {
    overwrite(number, from, std::string(to - from, '\0'));
  }
  void truncate(std::uint32_t number, std::uint64_t size) const {
    std::filesystem::resize_file(file(number), size);
  }

  // Every file below the directory: its bytes, and when it was written.
  std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> state() const {
    std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
      if (entry.is_regular_file())
        files[entry.path()] = {fixtures::read_file(entry.path()), entry.last_write_time()};
    return files;
  }

  // Reads each position by itself: "" when those in `lost` answer kCorrupt and every other one up
  // to `last` is what was written; else what is not so.
  std::string compare(EventStore& store, std::uint64_t last,
                      const std::set<std::uint64_t>& lost) const {
    if (const auto durable = store.statistics()->durable.value; durable != last)
      return "durable is " + std::to_string(durable) + ", not " + std::to_string(last);
    for (std::uint64_t position = 1; position <= last; ++position) {
      const auto told = "position " + std::to_string(position) + ": ";
      auto cursor = store.read(everything(), {.start = Start::after(position - 1), .limit = 1});
      const auto batch = cursor.next();
      if (lost.contains(position)) {
        if (batch) return told + "it was given out";
        if (batch.error().code != ErrorCode::kCorrupt) return told + batch.error().message;
        continue;
      }
      if (!batch) return told + batch.error().message;
      if (batch->size() != 1) return told + "nothing was given";
      const auto event = *batch->begin();
      const auto& expected = known[position - 1];
      if (event.position().value != position || event.stream() != expected.stream ||
          event.data() != expected.data || event.version() != expected.version)
        return told + "another event";
    }
    return "";
  }

  fixtures::ScratchDirectory directory{};
  const std::string path = directory.path("store");
  std::vector<Known> known{};
  std::map<std::string, Version> heads{};
  Checkpoint last_checkpoint{};
};

}  // namespace esdb::storage
