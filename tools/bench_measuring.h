// How esctl bench measures, behind bench_measures.h: one member a row.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <random>
#include <utility>

#include "bench/append_load.h"
#include "bench/disk_limits.h"
#include "tools/bench_measures.h"
#include "tools/bench_population.h"

namespace esdb::tools {

using bench::Clock;

inline constexpr std::size_t kMiB = std::size_t{1} << 20;
inline constexpr std::size_t kBenchAppendBytes = 2 * kMiB;  // below what every store takes

inline BenchRow::Times times_of(const bench::Latencies& latencies) {
  return {latencies.median(), latencies.percentile(0.99), latencies.percentile(0.999)};
}

class BenchMeasuring {
 public:
  BenchMeasuring(EventStore& store, EventStore& subscriber, const BenchPlan& plan);

  Result<void> all();
  BenchFigures take() && { return std::move(figures_); }

  using Measure = Result<void> (BenchMeasuring::*)();
  struct Named {
    const char* name;
    const char* what;
    Measure measure;
    bool is_chosen(const BenchPlan& plan) const {
      return plan.only.empty() || std::ranges::count(plan.only, name) > 0;
    }
  };
  static const std::array<Named, 7> kAll;

 private:
  void limits();
  Result<void> fill();
  Result<void> append();
  Result<void> in_flight();
  Result<void> bulk();
  Result<void> read();
  Result<void> streams();
  Result<void> tags();
  Result<void> delivery();

  Result<void> many_appends(const bench::Shape& shape, std::size_t in_flight);
  Result<void> selective(std::function<Query(std::mt19937_64&)> query, std::size_t found,
                         const char* unit);

  bench::Shape shape_of(std::size_t events) const {
    return {.events = events, .data_bytes = plan_.data_bytes, .names = names_};
  }
  std::size_t events_of_bulk(std::size_t most) const {
    return std::clamp<std::size_t>(kBenchAppendBytes / (plan_.data_bytes + 256), 1, most);
  }
  bench::Amount for_a_row(const bench::Shape& shape) const {
    return {.time = load_time(),
            .count = std::max<std::uint64_t>(row_bytes_ / bench::encoded_bytes(shape), 1),
            .stop = plan_.stop};
  }
  // Of a row's time: a limit has a fifth, and what it is the limit of all the rest.
  Clock::duration limit_time() const {
    return std::min<Clock::duration>(share_ / 5, std::chrono::seconds(1));
  }
  Clock::duration load_time() const { return raw_ ? share_ - limit_time() : share_; }

  void add(BenchRow row) {
    row.name = named_->name;
    if (row.what.empty()) row.what = named_->what;
    figures_.rows.push_back(std::move(row));
  }

  EventStore& store_;
  EventStore& subscriber_;
  const BenchPlan& plan_;
  const bench::Names names_;
  std::optional<bench::ZeroedFile> raw_;
  std::size_t row_bytes_ = 1024 * kMiB;  // that one row writes, at most
  Clock::duration share_{};
  std::optional<double> durable_write_;
  Position begin_{};
  std::optional<BenchPopulation> population_;
  const Named* named_ = nullptr;
  BenchFigures figures_;
};

}  // namespace esdb::tools
