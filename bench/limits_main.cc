// esdb_limits: what this machine does at best, as a table, or with --json as JSON. On the disk that
// holds the directory it is started in.
#include <cstdio>
#include <cstring>
#include <exception>

#include "bench/limits.h"
#include "bench/scratch.h"

namespace esdb::bench {
namespace {

void print_table(const std::vector<Limit>& limits) {
  std::printf("%-46s %12s %-8s %9s %9s %9s\n", "limit", "figure", "", "p50 us", "p99 us",
              "p99.9 us");
  for (const auto& limit : limits) {
    std::printf("%-46s %12.*f %-8s", limit.name.c_str(), limit.value < 1000 ? 2 : 0, limit.value,
                limit.unit.c_str());
    if (limit.latencies.count() > 0)
      std::printf(" %9.1f %9.1f %9.1f", limit.latencies.median(), limit.latencies.percentile(0.99),
                  limit.latencies.percentile(0.999));
    std::printf("\n");
  }
}

// The names hold nothing that JSON would escape.
void print_json(const std::vector<Limit>& limits) {
  std::printf("{\"limits\": [");
  const char* separator = "\n";
  for (const auto& limit : limits) {
    std::printf("%s  {\"name\": \"%s\", \"figure\": %.6g, \"unit\": \"%s\"", separator,
                limit.name.c_str(), limit.value, limit.unit.c_str());
    if (limit.latencies.count() > 0)
      std::printf(", \"p50_us\": %.6g, \"p99_us\": %.6g, \"p999_us\": %.6g, \"max_us\": %.6g",
                  limit.latencies.median(), limit.latencies.percentile(0.99),
                  limit.latencies.percentile(0.999), limit.latencies.max());
    std::printf("}");
    separator = ",\n";
  }
  std::printf("\n]}\n");
}

}  // namespace
}  // namespace esdb::bench

int main(int argc, char** argv) {
  const bool json = argc == 2 && std::strcmp(argv[1], "--json") == 0;
  if (argc > 1 && !json) {
    std::fprintf(stderr, "usage: esdb_limits [--json]\n");
    return 2;
  }
  try {
    const esdb::bench::Scratch scratch;
    const auto limits =
        esdb::bench::measure_limits(scratch.path(), esdb::bench::scaled(std::size_t{2} << 30),
                                    esdb::bench::scaled(esdb::bench::kSecond));
    if (json)
      esdb::bench::print_json(limits);
    else
      esdb::bench::print_table(limits);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "esdb_limits: %s\n", failure.what());
    return 1;
  }
  return 0;
}
