// What esctl bench measures: figures of a store, each beside what the machine does at best.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/event_store.h"

namespace esdb::tools {

struct BenchRow {
  struct Times {
    double p50 = 0, p99 = 0, p999 = 0;  // us
  };
  std::string name{};  // for programs; what --only takes, but for the machine's own limits
  std::string what{};  // for people
  double figure = 0;
  std::string unit{};             // of figure and limit: "us", "events/s", ...
  std::optional<Times> times{};   // of single calls, where there are any
  std::optional<double> limit{};  // where one can be measured
  std::string limit_is{};
  double ratio() const { return limit && *limit > 0 ? figure / *limit : 0; }
};

struct BenchPlan {
  std::vector<std::string> only{};  // of bench_names(); empty: all
  std::chrono::duration<double> time{};
  std::size_t data_bytes = 256;
  std::string prefix{};     // of the streams that are written to, as of tags
  std::string directory{};  // a scratch one on the store's disk; empty: limits cannot be measured
  bool is_remote = false;   // reads are pipelined then
  bool has_echo = false;    // whether a socket's limit says something
  std::optional<pid_t> server{};                      // on this machine, where it is known
  std::function<void(const char* what)> begin_row{};  // told before each
  std::stop_token stop{};
};

struct BenchFigures {
  std::vector<BenchRow> rows{};
  std::uint64_t events_written = 0;
  std::optional<double> others{};  // what other processes computed meanwhile, of one CPU
  double stolen = 0;               // what the host took, of one CPU
};

// In the order in which they are measured.
std::vector<std::string_view> bench_names();

// `subscriber`: the same store, on a connection of its own where there are connections. kCancelled
// once it is stopped.
Result<BenchFigures> measure(EventStore& store, EventStore& subscriber, const BenchPlan& plan);

}  // namespace esdb::tools
