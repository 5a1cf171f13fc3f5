// The program that appends and says what was acknowledged (ledger_writer.cc), and its ledger kept.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/end_to_end/ledger.h"
#include "tests/end_to_end/process.h"

namespace esdb::end_to_end {

// Threads: one.
class WriterProcess {
 public:
  // `appends` of each thread; 0: until it is killed.
  struct Work {
    std::uint64_t seed{};
    std::size_t threads = 8;
    std::size_t appends = 0;
  };
  WriterProcess(const std::string& url, const Work& work);

  // Takes down what it says for so long; false: it ended meanwhile.
  bool listen(Ledger& ledger, std::chrono::milliseconds duration);
  // Until it has opened its store; false: it ended before.
  bool listen_until_open(Ledger& ledger);
  // Until so many events are in the ledger; false: it ended before.
  bool listen_until(Ledger& ledger, std::size_t events);
  void listen_to_the_end(Ledger& ledger);
  Process& process() { return process_; }

 private:
  bool take(Ledger& ledger);

  Process process_;
};

}  // namespace esdb::end_to_end
