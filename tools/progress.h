// A line on a terminal that says how far a long command has come: events, events a second, time
// left.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "tools/terminal.h"

namespace esdb::tools {

class Progress {
 public:
  struct Done {
    std::uint64_t events{};
    std::optional<double> share{};  // of the whole, 0 to 1, where the whole is known
    std::string_view what{};        // what is being done, where that changes; outlives this
  };

  // Shows nothing where `terminal.err` is none. `err` outlives this.
  Progress(std::ostream& err, const Terminal& terminal) : err_(err), terminal_(terminal) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const Done& done);  // at most ten times a second; cheap otherwise
  void clear();                 // before anything else is printed

  std::chrono::nanoseconds elapsed() const { return std::chrono::steady_clock::now() - begun_; }

 private:
  std::string text(const Done& done) const;

  std::ostream& err_;
  Terminal terminal_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_{};
  std::optional<Done> first_{};  // what was done when it began: a resumed run is not that fast
  bool visible_ = false;
};

}  // namespace esdb::tools
