// Programs, started and ended by tests. None outlives the test, however that ends.
//
// A program sees this process's environment without what would lead it to another store (ESDB_URL,
// XDG_RUNTIME_DIR, NOTIFY_SOCKET), and what the test adds.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace esdb::end_to_end {

// Longer than anything takes on a loaded machine, so that only what hangs meets it.
inline constexpr std::chrono::seconds kPatience{120};

// What a process ended with: a code, or the signal that ended it.
struct Ended {
  int code = -1;
  int signal = 0;
  friend bool operator==(const Ended&, const Ended&) = default;
};
std::string to_string(const Ended& ended);
inline std::ostream& operator<<(std::ostream& out, const Ended& ended) {
  return out << to_string(ended);
}

struct Command {
  std::vector<std::string> words{};
  std::vector<std::pair<std::string, std::string>> environment{};
  bool fed = false;    // standard input is what feed() gives; else it is empty
  bool piped = false;  // standard output is read from output_fd(); else it is kept
};

// Threads: one, which outlives the process it started.
class Process {
 public:
  explicit Process(const Command& command);
  ~Process();  // kills what still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number);
  Ended kill();  // as power would end it: SIGKILL
  // Nothing when it runs on after `patience`.
  std::optional<Ended> wait(std::chrono::milliseconds patience = kPatience);

  // false when the process no longer takes it.
  bool feed(std::string_view bytes);
  // Until it has read all that it was fed; false: it ended before.
  bool wait_until_read();
  void end_of_input();
  int output_fd() const { return output_; }

  std::string out() const;  // so far
  std::string err() const;

 private:
  pid_t pid_ = -1;
  int pid_fd_ = -1;
  int input_ = -1, output_ = -1;            // this side's ends
  int kept_output_ = -1, kept_error_ = -1;  // files without a name
  std::optional<Ended> ended_{};
};

struct Outcome {
  Ended ended{};
  std::string out{}, err{};
  bool ok() const { return ended == Ended{.code = 0}; }
};
// Runs to the end. What takes longer than kPatience is killed, and shows that signal.
Outcome run(const Command& command);
// The esctl that was built.
Command esctl(std::vector<std::string> words);
Outcome run_esctl(std::vector<std::string> words);

}  // namespace esdb::end_to_end
