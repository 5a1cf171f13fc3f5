// Where a benchmark works: a directory of its own beside the program, removed at its end, and how
// much it does (ESDB_BENCH_SCALE: 1 is a measurement, less is a smoke test).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "bench/failure.h"

namespace esdb::bench {

// The scale of this run, from the environment; above 0.
inline double scale() {
  const char* text = std::getenv("ESDB_BENCH_SCALE");
  const double value = text != nullptr ? std::atof(text) : 1.0;
  return value > 0 ? value : 1.0;
}
// Below it, nothing is measured: everything is only run once.
inline bool is_smoke_run() { return scale() < 0.01; }

inline std::size_t scaled(std::size_t count) {
  const auto less = static_cast<std::size_t>(static_cast<double>(count) * scale());
  return std::max<std::size_t>(less, 10);
}
inline std::chrono::nanoseconds scaled(std::chrono::nanoseconds time) {
  const auto less = std::chrono::duration<double, std::nano>(time) * scale();
  return std::max(std::chrono::duration_cast<std::chrono::nanoseconds>(less),
                  std::chrono::nanoseconds(std::chrono::milliseconds(2)));
}

inline constexpr auto kSecond = std::chrono::seconds(1);
// Of the file that bare system calls work on, beside a store.
inline std::size_t raw_bytes() { return std::size_t{is_smoke_run() ? 1U : 256U} << 20; }

class Scratch {
 public:
  Scratch() {
    auto text = (std::filesystem::current_path() / "esdb-bench-XXXXXX").string();
    if (::mkdtemp(text.data()) == nullptr) fail("a directory " + text);
    path_ = text;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace esdb::bench
