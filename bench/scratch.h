// Where a benchmark works: a directory of its own beside the program, removed at its end, and how
// much it does (ESDB_BENCH_SCALE: 1 is a measurement, less is a smoke test).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace esdb::bench {

// The scale of this run, from the environment; above 0.
inline double scale() {
  const char* text = std::getenv("ESDB_BENCH_SCALE");
  const double value = text != nullptr ? std::atof(text) : 1.0;
  return value > 0 ? value : 1.0;
}
inline std::size_t scaled(std::size_t count) {
  const auto less = static_cast<std::size_t>(static_cast<double>(count) * scale());
  return less > 10 ? less : 10;
}

class Scratch {
 public:
  Scratch() {
    auto text = (std::filesystem::current_path() / "esdb-bench-XXXXXX").string();
    if (::mkdtemp(text.data()) == nullptr) std::abort();
    path_ = text;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path(const std::string& name = {}) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace esdb::bench
