#include "bench/reporter.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <string_view>

#include "bench/authors.h"
#include "bench/scratch.h"

namespace esdb::bench {
namespace {

constexpr const char* kGreen = "\033[32m";
constexpr const char* kRed = "\033[31m";
constexpr const char* kYellow = "\033[33m";
constexpr int kNameColumns = 62;

double counter(const benchmark::BenchmarkReporter::Run& run, const char* name) {
  const auto at = run.counters.find(name);
  return at == run.counters.end() ? 0 : at->second.value;
}

// Empty where there is none.
std::string amount_or_none(double amount) { return amount == 0 ? "" : amount_text(amount); }

std::string name_of(const benchmark::BenchmarkReporter::Run& run) {
  return run.run_name.function_name;
}

// What the benchmark says of its own counters, but for those every case has.
bool is_of_every_case(const std::string& name) {
  for (const char* known : {"figure", "limit", "ratio", "goal", "reached", "p50_us", "p99_us",
                            "p999_us", "max_us", "runs", "discarded", "disturbed", "others"})
    if (name == known) return true;
  return false;
}

}  // namespace

std::string amount_text(double amount) {
  char text[64];
  const auto size = std::abs(amount);
  if (size < 1000) {
    const int decimals = size >= 100 ? 1 : size >= 1 || size == 0 ? 2 : 4;
    std::snprintf(text, sizeof text, "%.*f", decimals, amount);
    std::string told = text;
    // 0.50 is 0.5, and 2.00 is 2.
    while (told.ends_with('0')) told.pop_back();
    if (told.ends_with('.')) told.pop_back();
    return told;
  }
  std::snprintf(text, sizeof text, "%.0f", amount);
  const std::string_view digits = text;
  std::string told;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const bool begins_group = i > 0 && digits[i - 1] != '-' && (digits.size() - i) % 3 == 0;
    if (begins_group) told.push_back(',');
    told.push_back(digits[i]);
  }
  return told;
}

std::string Reporter::coloured(const char* colour, const std::string& text) const {
  return is_terminal_ ? colour + text + "\033[0m" : text;
}

bool Reporter::ReportContext(const Context&) {
  is_terminal_ = ::isatty(STDOUT_FILENO) != 0;
  std::printf("scale %s, seed %llu%s\n", amount_text(scale()).c_str(),
              static_cast<unsigned long long>(kSeed),
              is_smoke_run() ? ": a smoke run, its figures say nothing" : "");
  std::printf("%-*s %12s %-10s %12s %7s %-9s %9s %9s %9s %5s %s\n", kNameColumns, "case", "figure",
              "", "limit", "ratio", "goal", "p50 us", "p99 us", "p99.9 us", "runs", "discarded");
  std::fflush(stdout);
  return true;
}

void Reporter::ReportRuns(const std::vector<Run>& runs) {
  for (const auto& run : runs) report(run);
  std::fflush(stdout);
}

void Reporter::report(const Run& run) {
  if (run.error_occurred) {
    std::printf("%-*s %s\n", kNameColumns, name_of(run).c_str(),
                coloured(kYellow, "left out: " + run.error_message).c_str());
    return;
  }
  const auto& label = run.report_label;
  std::printf("%-*s %12s %-10s %12s %7s", kNameColumns, name_of(run).c_str(),
              amount_text(counter(run, "figure")).c_str(),
              label.substr(0, label.find_first_of(",;")).c_str(),
              amount_or_none(counter(run, "limit")).c_str(),
              amount_or_none(counter(run, "ratio")).c_str());
  const bool has_goal = run.counters.contains("reached");
  const bool reached = counter(run, "reached") != 0;
  char goal[16];
  std::snprintf(goal, sizeof goal, " %-9s", has_goal ? reached ? "reached" : "missed" : "");
  std::printf("%s", coloured(reached ? kGreen : kRed, goal).c_str());
  for (const char* percentile : {"p50_us", "p99_us", "p999_us"})
    std::printf(" %9s", amount_or_none(counter(run, percentile)).c_str());
  std::printf(" %5.0f %.0f%s", counter(run, "runs"), counter(run, "discarded"),
              counter(run, "disturbed") != 0 ? coloured(kYellow, " disturbed").c_str() : "");
  for (const auto& [name, value] : run.counters)
    if (!is_of_every_case(name))
      std::printf("  %s=%s", name.c_str(), amount_text(value.value).c_str());
  std::printf("\n");
}

}  // namespace esdb::bench
