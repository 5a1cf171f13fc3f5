// Whether a measurement had the machine to itself, and repetitions of it until it had.
//
// Others are all processes but this one, its children, those named and the kernel's own threads:
// what they computed, children they waited for included, is summed up before and behind. (What the
// CPUs were not idle for says less: interrupts of 10,000 writes a second are several per cent, and
// nobody's.) What the host stole is counted by the kernel. A neighbour in the same guest also shows
// as stalls of one scheduler tick.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bench/latencies.h"

namespace esdb::bench {

// Of one CPU, over the time watched: 0.05 is a twentieth of one.
struct Disturbance {
  double others = 0;
  double stolen = 0;
};

class Watch {
 public:
  Watch() { begin(); }
  // From here on; the named processes are ours.
  void begin(std::vector<pid_t> ours = {});
  // What was seen until here: the first call after begin() counts.
  Disturbance end();

 private:
  struct Seen {  // seconds of CPU
    double others = 0;
    double stolen = 0;
  };
  static Seen look(const std::vector<pid_t>& ours);

  std::vector<pid_t> ours_;
  Clock::time_point begun_;
  Seen before_;
  bool ended_ = false;
  Disturbance disturbance_;
};

// One measurement: a figure, and what it is compared with, both from the same minute.
struct Run {
  double figure = 0;
  double limit = 0;                      // 0: there is none
  Latencies latencies{};                 // of single calls, where there are any
  std::map<std::string, double> more{};  // further figures, by name
  // Of calls made one at a time: their median may not be that of a scheduler tick, which says that
  // somebody else had the CPU.
  bool is_one_at_a_time = false;
};

// Whether the median stands at one or two ticks of a 250 Hz scheduler.
bool is_stalled(const Latencies& latencies);

struct Patience {
  std::size_t runs = 3;   // wanted, undisturbed
  std::size_t tries = 9;  // at the most
  double others_max = 0.05;
  double stolen_max = 0.02;
};

struct Repeated {
  std::vector<Run> runs{};    // those that count
  std::size_t discarded = 0;  // those that do not
  bool disturbed = false;     // never quiet: those that count are not, either
  double others = 0;          // the most that others took in a run that counts, of one CPU

  double figure() const;  // the medians of the runs
  double limit() const;
  double ratio() const;  // figure / limit; 0 without a limit
  Latencies latencies() const;
  std::map<std::string, double> more() const;
};

// Measures until enough runs were left alone, or the tries are used up: then the disturbed ones
// stand in for what is missing.
Repeated repeat(const std::function<Run(Watch&)>& measure, const Patience& patience = {});

}  // namespace esdb::bench
