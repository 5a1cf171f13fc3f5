// esctl bench: how fast a store is on the user's own machine, beside what the machine can do.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <ranges>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tools/bench_measures.h"
#include "tools/bench_output.h"
#include "tools/bench_place.h"
#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/values.h"

namespace esdb::tools {
namespace {

using Kind = BenchPlace::Kind;

constexpr std::uint64_t kSecondsMax = 3600, kDataBytesMin = 16, kDataBytesMax = 65'536;

struct BenchArguments {
  std::optional<std::uint64_t> seconds{}, data{};
  std::string only{}, directory{};
  bool yes = false;
};

constexpr const char* kExamples =
    "  esctl bench\n"
    "  esctl bench --directory /var/lib --seconds 20\n"
    "  esctl bench --store unix:/run/esdb/esdb.sock --yes --json\n"
    "  esctl bench --only append,in-flight,bulk --data 1024\n\n"
    "Without a store, or with a directory that holds none, it makes a scratch store\n"
    "(esctl-bench-XXXXXX) there, which is removed at the end, also after Ctrl-C. After a kill -9,\n"
    "delete that directory yourself. It takes up to 3 GiB of disk, at most three quarters of what\n"
    "is free.\n\n"
    "A store that is named is written to: streams esctl-bench-ID-N, with tags of the same names\n"
    "and the type EsctlBenchWritten (esctl streams --prefix esctl-bench-). A log keeps what was\n"
    "appended, so nothing gets rid of them: that asks for --yes where events are in the store\n"
    "already. To be without them, measure on a store of its own.";

Result<std::vector<std::string>> chosen_by(const BenchArguments& arguments) {
  const auto names = bench_names();
  std::vector<std::string> chosen;
  for (const auto word : std::views::split(arguments.only, ',')) {
    chosen.emplace_back(word.begin(), word.end());
    if (std::ranges::count(names, chosen.back()) == 0)
      return usage(fmt::format("--only: there is no \"{}\"; there are {}", chosen.back(),
                               fmt::join(names, ", ")));
  }
  return chosen;
}

Result<BenchPlan> plan_of(const BenchArguments& arguments) {
  const auto seconds = arguments.seconds.value_or(60), data = arguments.data.value_or(256);
  if (seconds < 1 || seconds > kSecondsMax)
    return usage(fmt::format("--seconds: {} is not from 1 to {}", seconds, kSecondsMax));
  if (data < kDataBytesMin || data > kDataBytesMax)
    return usage(
        fmt::format("--data: {} is not from {} to {}", data, kDataBytesMin, kDataBytesMax));
  auto only = chosen_by(arguments);
  if (!only) return std::unexpected(only.error());
  std::random_device random;
  return BenchPlan{.only = *std::move(only),
                   .time = std::chrono::seconds(seconds),
                   .data_bytes = data,
                   .prefix = fmt::format("esctl-bench-{:08x}-", random())};
}

// How far the run has come, told while the loads have this thread.
class BenchProgress {
 public:
  BenchProgress(const Invocation& invocation, std::chrono::duration<double> all)
      : progress_(invocation.err(), invocation.around.terminal), all_(all) {
    if (!invocation.around.terminal.err || invocation.json()) return;
    thread_ = std::jthread([this](const std::stop_token& stop) {
      for (; !stop.stop_requested(); std::this_thread::sleep_for(std::chrono::milliseconds(100)))
        progress_.show({.share = std::min(1.0, progress_.elapsed() / all_), .what = row_.load()});
    });
  }
  void begin_row(const char* what) { row_ = what; }
  std::chrono::duration<double> elapsed() const { return progress_.elapsed(); }

 private:
  Progress progress_;
  const std::chrono::duration<double> all_;
  std::atomic<const char*> row_{""};
  std::jthread thread_;  // ends first
};

// What cannot be undone is said before, and asked for where it would be in the way.
Result<void> may_write(EventStore& store, const BenchPlace& place, const BenchArguments& arguments,
                       const std::string& streams, const Invocation& invocation) {
  const auto statistics = store.statistics();
  if (!statistics) return std::unexpected(statistics.error());
  if (statistics->events > 0 && !arguments.yes)
    return usage(fmt::format(
        "{} holds events already, and what bench writes to streams {}N would stay among "
        "them: give --yes if it may, or leave out --store for a scratch store",
        place.url, streams));
  if (invocation.json()) return {};
  invocation.err() << (place.kind == Kind::kScratch
                           ? fmt::format("measures in a scratch store, {}, removed at the end\n",
                                         printable(place.scratch->path()))
                           : fmt::format("writes events to streams {}N of {}, where they stay\n",
                                         streams, printable(place.url)));
  invocation.err().flush();
  return {};
}

// The same error, with what is left behind.
Error with_what_stays(Error error, const BenchPlace& place, const std::string& streams) {
  error.message += place.kind == Kind::kScratch
                       ? "; the scratch store is removed"
                       : fmt::format("; what was written until then stays in streams {}N", streams);
  return error;
}

Result<ExitCode> bench_in(const BenchPlace& place, BenchPlan plan, const BenchArguments& arguments,
                          const Invocation& invocation) {
  const auto store = invocation.open(place.url, Purpose::kWrite);
  if (!store) return std::unexpected(store.error());
  if (auto may = may_write(**store, place, arguments, plan.prefix, invocation); !may)
    return std::unexpected(may.error());
  const auto subscriber =
      place.kind == Kind::kServer ? invocation.open(place.url, Purpose::kWrite) : store;
  if (!subscriber) return std::unexpected(subscriber.error());
  std::unique_ptr<BenchScratch> inside;
  if (place.kind == Kind::kDirectory) {
    auto made = BenchScratch::make_in(place.url);
    if (!made) return std::unexpected(made.error());
    inside = *std::move(made);
  }
  const auto* scratch = inside ? inside.get() : place.scratch.get();
  plan.directory = scratch != nullptr ? scratch->path() : "";
  plan.is_remote = place.kind == Kind::kServer;
  plan.server = server_behind(place.url);
  plan.has_echo = scratch != nullptr || place.url.starts_with("unix:");
  plan.stop = invocation.around.stop;
  Result<BenchFigures> figures;
  std::chrono::duration<double> taken{};
  {
    BenchProgress progress(invocation, plan.time);
    plan.begin_row = [&progress](const char* what) { progress.begin_row(what); };
    figures = measure(**store, **subscriber, plan);
    taken = progress.elapsed();
  }
  if (!figures) return std::unexpected(with_what_stays(figures.error(), place, plan.prefix));
  const auto statistics = (*store)->statistics();
  if (!statistics) return std::unexpected(statistics.error());
  print_bench(*figures,
              {.place = place,
               .io = statistics->io,
               .streams = plan.prefix,
               .data_bytes = plan.data_bytes,
               .taken = taken},
              invocation);
  return ExitCode::kOk;
}

Result<ExitCode> bench_command(const BenchArguments& arguments, const Invocation& invocation) {
  auto plan = plan_of(arguments);
  if (!plan) return std::unexpected(plan.error());
  const auto place = find_bench_place(invocation, arguments.directory);
  if (!place) return std::unexpected(place.error());
  return bench_in(*place, *std::move(plan), arguments, invocation);
}

}  // namespace

void add_bench(Commands& commands) {
  const auto arguments = std::make_shared<BenchArguments>();
  auto& command = commands.add(
      {.name = "bench",
       .about = "Measure how fast a store is here, beside what the machine can do",
       .examples = kExamples},
      [arguments](const Invocation& invocation) { return bench_command(*arguments, invocation); });
  add_number(command, "--seconds", arguments->seconds, "How long, about: 1 to 3600 (60)");
  add_number(command, "--data", arguments->data, "Bytes of an event's data: 16 to 65536 (256)",
             "BYTES");
  command
      .add_option("--only", arguments->only,
                  fmt::format("Some of {}", fmt::join(bench_names(), ",")))
      ->type_name("NAMES");
  command
      .add_option("--directory", arguments->directory,
                  "Where a scratch store is made (the current directory)")
      ->type_name("DIR");
  command.add_flag("--yes", arguments->yes, "Also write to a store that holds events already");
}

}  // namespace esdb::tools
