#include "bench/quiet.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
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
double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}
double cpu_of(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
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

double kernel_threads() {
  double cpu = 0;
  DIR* processes = ::opendir("/proc");
  if (processes == nullptr) return 0;
  while (const dirent* entry = ::readdir(processes)) {
    if (!std::isdigit(static_cast<unsigned char>(entry->d_name[0]))) continue;
    const auto time = process_time(entry->d_name);
    if (time && time->parent == kKernelThreads) cpu += time->cpu;
  }
  ::closedir(processes);
  return cpu;
}

template <class Value>
double median_of(const std::vector<Run>& runs, Value value) {
  std::vector<double> values;
  for (const auto& run : runs) values.push_back(value(run));
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

Watch::Seen Watch::look(const std::vector<pid_t>& ours) {
  Seen seen;
  std::ifstream file("/proc/stat");
  std::string word;
  // user nice system idle iowait irq softirq steal; guest time is in user time already
  std::uint64_t times[8] = {};
  file >> word;
  for (auto& time : times) file >> time;
  seen.idle = seconds_of_ticks(times[3] + times[4]);
  seen.stolen = seconds_of_ticks(times[7]);
  seen.ours = seconds_of_ticks(times[5] + times[6]) + kernel_threads() + cpu_of(RUSAGE_SELF) +
              cpu_of(RUSAGE_CHILDREN);
  for (const auto pid : ours)
    if (const auto time = process_time(std::to_string(pid))) seen.ours += time->cpu;
  return seen;
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
  const auto cpus = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  const auto stolen = after.stolen - before_.stolen;
  const auto busy = elapsed * cpus - (after.idle - before_.idle) - stolen;
  // Times are counted in ticks of 10 ms, CPU by CPU.
  const auto unsure = 0.01 * cpus;
  const auto others = busy - (after.ours - before_.ours) - unsure;
  disturbance_ = {.others = std::max(0.0, others / elapsed),
                  .stolen = std::max(0.0, (stolen - unsure) / elapsed)};
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
