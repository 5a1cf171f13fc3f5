// The rows of esctl bench: what is done in the store, and what of it is told.
#include <fmt/format.h>

#include "bench/append_limit.h"
#include "bench/delivery_load.h"
#include "bench/read_load.h"
#include "tools/bench_measuring.h"

namespace esdb::tools {
namespace {

// Streams: each load has its own.
constexpr std::uint64_t kStreams = 1'000, kBulkStream = 1'000, kProbe = 1'001;

}  // namespace

Result<void> BenchMeasuring::fill() {
  const auto streams = std::clamp(plan_.time.count() * 500, 500.0, 5000.0);
  population_.emplace(shape_of(1), static_cast<std::size_t>(streams));
  const auto written = population_->fill(store_, kBenchAppendBytes, plan_.stop);
  if (!written) return std::unexpected(written.error());
  figures_.events_written += *written;
  return {};
}

Result<void> BenchMeasuring::append() {
  auto shape = shape_of(1);
  const auto told =
      bench::run(store_, bench::AppendLoad{.shape = shape, .amount = for_a_row(shape)});
  if (!told) return std::unexpected(told.error());
  figures_.events_written += told->events;
  add({.figure = told->latencies.median(),
       .unit = "us",
       .times = times_of(told->latencies),
       .limit = durable_write_,
       .limit_is = durable_write_ ? "the median of durable writes of 4 KiB" : ""});
  return {};
}

Result<void> BenchMeasuring::many_appends(const bench::Shape& shape, std::size_t in_flight) {
  std::optional<double> limit;
  if (raw_) limit = bench::append_limit(*raw_, shape, in_flight, limit_time()).events_per_second;
  const auto told = bench::run(
      store_,
      bench::AppendLoad{.shape = shape, .in_flight = in_flight, .amount = for_a_row(shape)});
  if (!told) return std::unexpected(told.error());
  figures_.events_written += told->events;
  add({.what = shape.events > 1
                   ? fmt::format("{} events an append, {} in flight", shape.events, in_flight)
                   : "",
       .figure = told->events_per_second(),
       .unit = "events/s",
       .times = times_of(told->latencies),
       .limit = limit,
       .limit_is = limit ? "the same bytes in bare durable writes, up to 1 MiB at a time" : ""});
  return {};
}

Result<void> BenchMeasuring::in_flight() {
  auto shape = shape_of(1);
  shape.streams = kStreams;
  return many_appends(shape, 256);
}

Result<void> BenchMeasuring::bulk() {
  auto shape = shape_of(events_of_bulk(512));
  shape.first_stream = kBulkStream;
  return many_appends(shape, 16);
}

// What this run wrote, and nothing of before: that may be any number of events.
Result<void> BenchMeasuring::read() {
  const ReadOptions options{
      .start = Start::after(begin_),
      .limit = std::clamp<std::uint64_t>(64 * kMiB / (plan_.data_bytes + 256), 1'000, 200'000)};
  std::optional<double> bandwidth;
  if (raw_) bandwidth = bench::read_bandwidth(*raw_, bench::PageCache::kWarm, limit_time());
  bench::Reads all;
  do {
    const auto reads = bench::read_everything(store_, everything(), options, {.stop = plan_.stop});
    if (!reads) return std::unexpected(reads.error());
    all.events += reads->events;
    all.bytes += reads->bytes;
    all.taken += reads->taken;
  } while (all.taken < bench::seconds(load_time()));
  BenchRow row{.figure = all.events_per_second(), .unit = "events/s"};
  if (bandwidth) {
    row.limit = *bandwidth * static_cast<double>(all.events) / static_cast<double>(all.bytes);
    row.limit_is = "the same bytes out of the page cache, 1 MiB at a time";
  }
  add(std::move(row));
  return {};
}

Result<void> BenchMeasuring::selective(std::function<Query(std::mt19937_64&)> query,
                                       std::size_t found, const char* unit) {
  constexpr std::size_t kPipelined = 64;
  const auto told =
      bench::run(store_, bench::ReadLoad{.query = std::move(query),
                                         .in_flight = plan_.is_remote ? kPipelined : 0,
                                         .least = found,
                                         .amount = {.time = load_time(), .stop = plan_.stop}});
  if (!told) return std::unexpected(told.error());
  add({.what = plan_.is_remote ? fmt::format("{}, {} in flight", named_->what, kPipelined)
                               : named_->what,
       .figure = told->reads_per_second(),
       .unit = unit,
       .times = times_of(told->latencies)});
  return {};
}

Result<void> BenchMeasuring::streams() {
  return selective([this](auto& random) { return population_->stream_at_random(random); },
                   BenchPopulation::kOfStream, "streams/s");
}

Result<void> BenchMeasuring::tags() {
  return selective([this](auto& random) { return population_->tag_at_random(random); },
                   BenchPopulation::kOfTag, "queries/s");
}

Result<void> BenchMeasuring::delivery() {
  auto shape = shape_of(1);
  shape.first_stream = kProbe;
  auto amount = for_a_row(shape);
  amount.time = share_;
  const auto told = bench::run(store_, subscriber_, {.shape = shape, .amount = amount});
  if (!told) return std::unexpected(told.error());
  figures_.events_written += told->appends.count();
  add({.figure = told->deliveries.median(),
       .unit = "us",
       .times = times_of(told->deliveries),
       .limit = told->appends.median(),
       .limit_is = "the median of the same appends' own answers"});
  return {};
}

}  // namespace esdb::tools
