#include "bench/child.h"

#include <atomic>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/disk_limits.h"
#include "bench/memory_group.h"
#include "bench/process.h"
#include "bench/read_load.h"
#include "bench/sized_store.h"

namespace esdb::bench {
namespace {

constexpr std::string_view kFlag = "--child";
constexpr std::size_t kReaders = 16;
constexpr std::size_t kMemory = std::size_t{64} << 20;  // of the store's own: the rest is pages

std::unique_ptr<EventStore> open_small(const std::string& directory) {
  return open(directory, {.memory = kMemory}).value();
}

ReadLoad cold_tags(const SizedQueries& queries, Clock::duration time) {
  return {.query = [queries](std::mt19937_64& random) { return queries.a_tag(random, ~0ULL); },
          .readers = kReaders,
          .least = 0,
          .amount = for_time(time)};
}

// A query asks for many of its events at once, so as many readers as the device has use for.
double device_reads_per_second(const std::string& directory) {
  const auto paths = segment_paths(directory);
  double most = 0;
  for (const std::size_t readers : {16, 64, 256})
    most = std::max(most,
                    random_reads(paths, readers, PageCache::kAround, scaled(kSecond)).per_second);
  return most;
}

ChildReport read_cold(const std::string& directory, std::uint64_t events) {
  const auto store = open_small(directory);
  const SizedQueries queries{events};
  run(*store, cold_tags(queries, scaled(kSecond))).value();  // the index's upper pages
  const auto reads = run(*store, cold_tags(queries, scaled(4 * kSecond))).value();
  return {.figures = {{"events_per_s", reads.events_per_second()},
                      {"reads_per_s", reads.reads_per_second()},
                      {"device_per_s", device_reads_per_second(directory)}},
          .latencies = {{"reads", reads.latencies}}};
}

ChildReport append_beside_cold_reads(const std::string& directory, std::uint64_t events) {
  const auto store = open_small(directory);
  const SizedQueries queries{events};
  const AppendLoad appends{.condition = Condition::kVersion,
                           .amount = for_time(scaled(4 * kSecond))};
  ChildReport report;
  report.latencies["alone"] = run(*store, appends).value().latencies;
  Result<Reads> reads;
  {
    const std::jthread readers(
        [&] { reads = run(*store, cold_tags(queries, scaled(5 * kSecond))); });
    std::this_thread::sleep_for(scaled(kSecond / 2));
    report.latencies["beside"] = run(*store, appends).value().latencies;
  }
  report.figures["reads_per_s"] = reads.value().reads_per_second();
  return report;
}

[[noreturn]] void append_for_ever(const std::string& directory, std::uint64_t events) {
  const auto store = open(directory).value();
  const SizedQueries queries{events};
  for (;;)
    run(*store, {.shape = {.streams = queries.streams(), .tags = queries.tags()},
                 .in_flight = 256,
                 .amount = for_time(kSecond)})
        .value();
}

void write_report(const ChildReport& report, const std::string& path) {
  std::ofstream file(path);
  for (const auto& [name, value] : report.figures)
    file << "figure " << name << " " << value << "\n";
  for (const auto& [name, latencies] : report.latencies)
    file << "latencies " << name << " " << latencies.to_text() << "\n";
}

ChildReport read_report(const std::string& path) {
  ChildReport report;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    std::string kind, name;
    in >> kind >> name;
    if (kind == "figure") {
      in >> report.figures[name];
    } else {
      std::string rest;
      std::getline(in, rest);
      report.latencies[name] = Latencies::from_text(rest);
    }
  }
  return report;
}

std::vector<std::string> command(const std::string& part, const std::string& directory,
                                 std::uint64_t events, const std::string& report,
                                 const std::string& door) {
  return {"/proc/self/exe", std::string(kFlag), part, directory, std::to_string(events),
          report,           "door=" + door};
}

}  // namespace

int run_as_child(int argc, char** argv) {
  if (argc != 7 || argv[1] != kFlag) return -1;
  const std::string part = argv[2], directory = argv[3], report = argv[5], door = argv[6] + 5;
  const std::uint64_t events = std::stoull(argv[4]);
  try {
    join(door);
    if (part == "read_cold") {
      write_report(read_cold(directory, events), report);
    } else if (part == "append_beside_cold_reads") {
      write_report(append_beside_cold_reads(directory, events), report);
    } else if (part == "append_for_ever") {
      append_for_ever(directory, events);
    } else {
      return 2;
    }
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s: %s\n", part.c_str(), failure.what());
    return 1;
  }
  return 0;
}

ChildReport run_child(const ChildOrder& order) {
  const Scratch scratch;
  std::optional<MemoryGroup> group;
  if (order.memory > 0) group.emplace(order.memory);
  forget_pages(order.directory);
  Process child(command(order.part, order.directory, order.events, scratch.path("report"),
                        group ? group->door() : ""));
  child.wait_for_success(order.part.c_str());
  return read_report(scratch.path("report"));
}

void append_and_crash(const std::string& directory, std::uint64_t events, Clock::duration time) {
  Process child(command("append_for_ever", directory, events, "", ""));
  std::this_thread::sleep_for(time);
  child.kill();
}

}  // namespace esdb::bench
