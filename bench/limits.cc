#include "bench/limits.h"

#include <utility>

#include "bench/disk_limits.h"
#include "bench/memory_limits.h"
#include "bench/socket_limits.h"

namespace esdb::bench {
namespace {

constexpr double kGiga = 1e9;

Limit calls(std::string name, Latencies latencies) {
  const auto median = latencies.median();
  return {std::move(name), median, "us", std::move(latencies)};
}

void add_writes(std::vector<Limit>& limits, const ZeroedFile& file, Clock::duration time) {
  for (const auto& [name, bytes] : {std::pair{"durable write, one unit of 4 KiB", kUnitBytes},
                                    {"durable write, 64 KiB", std::size_t{64} << 10},
                                    {"durable write, 1 MiB", std::size_t{1} << 20}}) {
    auto latencies = durable_writes(file, bytes, time);
    const auto per_second = 1e6 / latencies.median();
    limits.push_back(calls(name, std::move(latencies)));
    limits.push_back({std::string(name) + ", one after another",
                      per_second * static_cast<double>(bytes) / kGiga,
                      "GB/s",
                      {}});
  }
  limits.push_back(
      {"writes of 1 MiB, direct, no sync", write_bandwidth(file, time) / kGiga, "GB/s", {}});
}

void add_reads(std::vector<Limit>& limits, const ZeroedFile& file, Clock::duration time) {
  limits.push_back({"reads of 1 MiB, direct",
                    read_bandwidth(file, PageCache::kAround, time) / kGiga,
                    "GB/s",
                    {}});
  limits.push_back(
      {"reads of 1 MiB, cached", read_bandwidth(file, PageCache::kWarm, time) / kGiga, "GB/s", {}});
  for (const std::size_t readers : {1UL, 16UL}) {
    auto reads = random_reads({&file.path(), 1}, readers, PageCache::kAround, time);
    limits.push_back({"random reads of 4 KiB, direct, readers: " + std::to_string(readers),
                      reads.per_second, "reads/s", std::move(reads.latencies)});
  }
}

void add_echoes(std::vector<Limit>& limits, Clock::duration time) {
  for (const auto transport : {Transport::kUnix, Transport::kTcp})
    for (const auto placement : {Placement::kFree, Placement::kOneCpu})
      limits.push_back(
          calls(std::string("echo of 256 B, ") +
                    (transport == Transport::kUnix ? "Unix socket" : "TCP loopback") +
                    (placement == Placement::kFree ? ", processes free" : ", both on one CPU"),
                echoes(transport, placement, time)));
}

}  // namespace

std::vector<Limit> measure_limits(const std::string& directory, std::size_t space,
                                  Clock::duration time) {
  std::vector<Limit> limits;
  {
    const ZeroedFile file(directory, space);
    add_writes(limits, file, time);
    add_reads(limits, file, time);
  }
  add_echoes(limits, time);
  const auto checksum = checksum_ns(time);
  limits.push_back({"XXH3-64 of 256 B", checksum, "ns", {}});
  limits.push_back({"XXH3-64 of 256 B after 256 B", 256 / checksum, "GB/s", {}});
  limits.push_back({"memcpy, memory to memory", copy_bandwidth(time) / kGiga, "GB/s", {}});
  return limits;
}

}  // namespace esdb::bench
