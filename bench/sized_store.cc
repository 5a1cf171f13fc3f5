#include "bench/sized_store.h"

#include <sys/stat.h>

#include <filesystem>
#include <string_view>
#include <thread>

#include "bench/authors.h"
#include "bench/disk_limits.h"

namespace esdb::bench {
namespace {

std::uint64_t blocks_below(const std::string& directory) {
  std::uint64_t bytes = 0;
  if (!std::filesystem::exists(directory)) return 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status {};
    if (::stat(entry.path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return bytes;
}

}  // namespace

DiskBytes disk_bytes(const std::string& store_directory) {
  return {blocks_below(store_directory + "/log"), blocks_below(store_directory + "/index")};
}

std::vector<std::string> segment_paths(const std::string& store_directory) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(store_directory + "/log"))
    if (entry.path().extension() == ".seg" && entry.file_size() >= kUnitBytes)
      paths.push_back(entry.path());
  return paths;
}

Filled fill(EventStore& store, const AppendLoad& load) {
  const auto begin = Clock::now();
  Filled filled{.appends = run(store, load).value()};
  const auto events = static_cast<double>(filled.appends.events);
  filled.events_until_acknowledged_per_s = filled.appends.events_per_second();
  // The last of it waits for a timer of seconds, which a smoke run does not.
  while (!is_smoke_run() && store.statistics().value().indexed < filled.appends.last)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  filled.events_until_indexed_per_s = events / seconds_since(begin);
  filled.log_bytes = store.statistics().value().bytes;
  return filled;
}

Query SizedQueries::a_stream(std::mt19937_64& random, std::uint64_t among) const {
  return stream(stream_name(random() % std::min(among, streams())));
}
Query SizedQueries::a_tag(std::mt19937_64& random, std::uint64_t among) const {
  return tagged({Tag(tag_text(random() % std::min(among, tags())))});
}
Query SizedQueries::a_tag_and_type(std::mt19937_64& random, std::uint64_t among) const {
  const auto type = std::string(kTypes[random() % std::size(kTypes)]);
  return types({type}).tagged({Tag(tag_text(random() % std::min(among, tags())))});
}

const Filled& SizedStore::filled() {
  if (!scratch_) {
    if (room_->taken_by != nullptr) room_->taken_by->scratch_.reset();
    room_->taken_by = this;
    scratch_ = std::make_unique<Scratch>();
    directory_ = scratch_->path("store");
    auto load_shape = shape();
    load_shape.events = 512;
    const auto store = esdb::open(directory_).value();
    filled_ = fill(
        *store, {.shape = load_shape, .in_flight = 16, .amount = so_many((events() + 511) / 512)});
  }
  return filled_;
}

std::unique_ptr<EventStore> SizedStore::open(std::size_t memory) {
  return esdb::open(directory(), {.memory = memory}).value();
}

}  // namespace esdb::bench
