#include "tools/bench_measures.h"

#include <exception>
#include <filesystem>
#include <system_error>

#include "bench/quiet.h"
#include "bench/socket_limits.h"
#include "tools/bench_measuring.h"
#include "tools/command.h"

namespace esdb::tools {

const std::array<BenchMeasuring::Named, 7> BenchMeasuring::kAll = {{
    {"append", "one append at a time", &BenchMeasuring::append},
    {"in-flight", "256 appends in flight", &BenchMeasuring::in_flight},
    {"bulk", "512 events an append, 16 in flight", &BenchMeasuring::bulk},
    {"read", "read everything", &BenchMeasuring::read},
    {"streams", "streams of 10 events", &BenchMeasuring::streams},
    {"tags", "query by tag, 100 events", &BenchMeasuring::tags},
    {"delivery", "append to delivery", &BenchMeasuring::delivery},
}};

BenchMeasuring::BenchMeasuring(EventStore& store, EventStore& subscriber, const BenchPlan& plan)
    : store_(store),
      subscriber_(subscriber),
      plan_(plan),
      names_{.stream = plan.prefix, .tag = plan.prefix, .type = "EsctlBenchWritten"} {
  const auto chosen =
      std::ranges::count_if(kAll, [&plan](const Named& named) { return named.is_chosen(plan); });
  share_ = std::chrono::duration_cast<Clock::duration>(plan.time / static_cast<double>(chosen + 1));
  if (plan.directory.empty()) {
    if (!plan.is_remote) row_bytes_ = 256 * kMiB;  // of memory
    return;
  }
  // A disk that is nearly full is not to be filled by this.
  std::error_code unknown;
  const auto space = std::filesystem::space(plan.directory, unknown);
  if (!unknown) row_bytes_ = std::min<std::size_t>(row_bytes_, space.available / 4);
  const auto raw_bytes = static_cast<std::size_t>(plan.time.count() * 8) * kMiB;
  raw_.emplace(plan.directory, std::min(row_bytes_, std::clamp(raw_bytes, 16 * kMiB, 256 * kMiB)));
}

Result<void> BenchMeasuring::all() {
  const auto statistics = store_.statistics();
  if (!statistics) return std::unexpected(statistics.error());
  begin_ = statistics->durable;
  bench::Watch watch;
  watch.begin(plan_.server ? std::vector<pid_t>{*plan_.server} : std::vector<pid_t>{});
  limits();
  for (const auto& named : kAll) {
    if (!named.is_chosen(plan_)) continue;
    const bool reads = named.measure == &BenchMeasuring::read ||
                       named.measure == &BenchMeasuring::streams ||
                       named.measure == &BenchMeasuring::tags;
    plan_.begin_row(named.what);
    named_ = &named;
    auto measured = reads && !population_ ? fill() : Result<void>();
    if (measured && !plan_.stop.stop_requested()) measured = (this->*named.measure)();
    if (plan_.stop.stop_requested())
      return std::unexpected(Error{.code = ErrorCode::kCancelled, .message = "interrupted"});
    if (!measured) return measured;
  }
  const auto seen = watch.end();
  // A server that runs here, unknown, would be taken for somebody else.
  if (!plan_.is_remote || plan_.server) figures_.others = seen.others;
  figures_.stolen = seen.stolen;
  return {};
}

void BenchMeasuring::limits() {
  const auto time = std::min<Clock::duration>(share_ / 2, std::chrono::seconds(1));
  if (raw_) {
    plan_.begin_row("durable write of 4 KiB");
    const auto writes = bench::durable_writes(*raw_, bench::kUnitBytes, time);
    durable_write_ = writes.median();
    figures_.rows.push_back({.name = "durable_write",
                             .what = "machine: durable write, 4 KiB",
                             .figure = writes.median(),
                             .unit = "us",
                             .times = times_of(writes)});
  }
  if (!plan_.has_echo) return;
  plan_.begin_row("echo over a Unix socket");
  const auto echoes = bench::echoes(bench::Transport::kUnix, bench::Placement::kFree, time);
  figures_.rows.push_back({.name = "echo",
                           .what = "machine: echo over a Unix socket",
                           .figure = echoes.median(),
                           .unit = "us",
                           .times = times_of(echoes)});
}

std::vector<std::string_view> bench_names() {
  std::vector<std::string_view> names;
  for (const auto& named : BenchMeasuring::kAll) names.emplace_back(named.name);
  return names;
}

Result<BenchFigures> measure(EventStore& store, EventStore& subscriber, const BenchPlan& plan) {
  try {
    BenchMeasuring measuring(store, subscriber, plan);
    if (auto done = measuring.all(); !done) return std::unexpected(done.error());
    return std::move(measuring).take();
  } catch (const std::exception& failure) {
    return failed(failure.what());
  }
}

}  // namespace esdb::tools
