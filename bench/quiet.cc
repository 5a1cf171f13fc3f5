#include "bench/quiet.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace esdb::bench {
namespace {

constexpr pid_t kKernelThreads = 2;  // their parent

double seconds_of_ticks(std::uint64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}
struct ProcessTime {
  pid_t parent = 0;
  double cpu = 0;  // its own, and that of children it has waited for
};

std::optional<ProcessTime> process_time(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const auto name_end = line.rfind(')');  // the name may hold anything
  if (name_end == line.npos) return std::nullopt;
  std::istringstream in(line.substr(name_end + 1));
  ProcessTime time;
  std::string word;
  in >> word >> time.parent;
  for (int skipped = 0; skipped < 9; ++skipped) in >> word;
  std::uint64_t user = 0, system = 0, children_user = 0, children_system = 0;
  in >> user >> system >> children_user >> children_system;
  time.cpu = seconds_of_ticks(user + system + children_user + children_system);
  return time;
}

// Of every process that is somebody else's. A sum: what a process did goes over to whoever waited
// for it.
double others_cpu(const std::vector<pid_t>& ours) {
  double cpu = 0;
  DIR* processes = ::opendir("/proc");
  if (processes == nullptr) return 0;
  while (const dirent* entry = ::readdir(processes)) {
    if (!std::isdigit(static_cast<unsigned char>(entry->d_name[0]))) continue;
    const pid_t pid = std::atoi(entry->d_name);
    if (pid == ::getpid() || pid == kKernelThreads || std::ranges::count(ours, pid) > 0) continue;
    const auto time = process_time(entry->d_name);
    if (time && time->parent != kKernelThreads && time->parent != ::getpid()) cpu += time->cpu;
  }
  ::closedir(processes);
  return cpu;
}

double stolen_cpu() {
  std::ifstream file("/proc/stat");
  std::string word;
  // user nice system idle iowait irq softirq steal
  std::uint64_t times[8] = {};
  file >> word;
  for (auto& time : times) file >> time;
  return seconds_of_ticks(times[7]);
}

template <class Value>
double median_of(const std::vector<Run>& runs, Value value) {
  std::vector<double> values;
  values.reserve(runs.size());
  for (const auto& run : runs) values.push_back(value(run));
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

Watch::Seen Watch::look(const std::vector<pid_t>& ours) {
  return {.others = others_cpu(ours), .stolen = stolen_cpu()};
}

void Watch::begin(std::vector<pid_t> ours) {
  ours_ = std::move(ours);
  ended_ = false;
  before_ = look(ours_);
  begun_ = Clock::now();
}

Disturbance Watch::end() {
  if (std::exchange(ended_, true)) return disturbance_;
  const auto elapsed = seconds_since(begun_);
  const auto after = look(ours_);
  // Times are counted in ticks of 10 ms.
  const auto share = [elapsed](double before, double now) {
    constexpr double kUnsure = 0.02;
    return std::max(0.0, now - before - kUnsure) / elapsed;
  };
  disturbance_ = {.others = share(before_.others, after.others),
                  .stolen = share(before_.stolen, after.stolen)};
  return disturbance_;
}

bool is_stalled(const Latencies& latencies) {
  constexpr double kTickUs = 4'000, kNear = 0.08;
  const auto median = latencies.median();
  return std::abs(median - kTickUs) < kTickUs * kNear ||
         std::abs(median - 2 * kTickUs) < 2 * kTickUs * kNear;
}

double Repeated::figure() const {
  return median_of(runs, [](const Run& run) { return run.figure; });
}
double Repeated::limit() const {
  return median_of(runs, [](const Run& run) { return run.limit; });
}
double Repeated::ratio() const {
  return median_of(runs, [](const Run& run) { return run.limit > 0 ? run.figure / run.limit : 0; });
}
Latencies Repeated::latencies() const {
  Latencies all;
  for (const auto& run : runs) all.merge(run.latencies);
  return all;
}
std::map<std::string, double> Repeated::more() const {
  std::map<std::string, double> figures;
  for (const auto& run : runs)
    for (const auto& [name, value] : run.more) figures[name] = 0;
  for (auto& [name, value] : figures)
    value = median_of(runs, [&name](const Run& run) {
      const auto at = run.more.find(name);
      return at == run.more.end() ? 0 : at->second;
    });
  return figures;
}

Repeated repeat(const std::function<Run(Watch&)>& measure, const Patience& patience) {
  struct Tried {
    Run run;
    Disturbance disturbance;
  };
  Repeated repeated;
  std::vector<Tried> disturbed;
  for (std::size_t tried = 0; tried < patience.tries; ++tried) {
    if (repeated.runs.size() >= patience.runs) break;
    Watch watch;
    auto run = measure(watch);
    const auto seen = watch.end();
    const bool quiet = seen.others <= patience.others_max && seen.stolen <= patience.stolen_max &&
                       !(run.is_one_at_a_time && is_stalled(run.latencies));
    if (quiet) {
      repeated.others = std::max(repeated.others, seen.others);
      repeated.runs.push_back(std::move(run));
    } else {
      disturbed.push_back({std::move(run), seen});
    }
  }
  // The least disturbed first.
  std::ranges::stable_sort(disturbed, {}, [](const Tried& tried) {
    return tried.disturbance.others + tried.disturbance.stolen;
  });
  repeated.discarded = disturbed.size();
  for (auto& tried : disturbed) {
    if (repeated.runs.size() >= patience.runs) break;
    repeated.disturbed = true;
    repeated.others = std::max(repeated.others, tried.disturbance.others);
    repeated.runs.push_back(std::move(tried.run));
    --repeated.discarded;
  }
  return repeated;
}

}  // namespace esdb::bench
