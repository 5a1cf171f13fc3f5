// Reporter: one aligned line a case, for whoever watches. --benchmark_out has the rest.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace esdb::bench {

// "1,234,567", "86.4", "0.0123": what an eye can take in.
std::string amount_text(double amount);

class Reporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

 private:
  void report(const Run& run);
  std::string coloured(const char* colour, const std::string& text) const;

  bool is_terminal_ = false;
};

}  // namespace esdb::bench
