// Scenario: the life of a small store, whatever goes wrong meanwhile. A busy one is made, appended
// to in every way, rolled over several segments, read, looked at, closed and opened again; of a
// quiet one there is as much as it takes to see what happens by time: a witness, and a commit of
// the index while it is open. A short one is a busy one with less of everything.
//
// While it runs, every answer is held against the ledger: it is right, or an error that the API
// documents for that call. Nothing takes for ever.
//
// Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "esdb/event_store.h"
#include "tests/faults/ledger.h"

namespace esdb::faults {

class Scenario {
 public:
  enum class Kind : std::uint8_t { kBusy, kQuiet, kShort };
  struct Parts {
    Kind kind{};
    Ledger& ledger;
    std::function<Result<std::unique_ptr<EventStore>>(const OpenOptions&)> open{};
    bool may_fail = false;  // something will go wrong
    // It has: from then on nobody waits long.
    std::function<bool()> disturbed = [] { return false; };
    // A call may end with an exception, as memory that ran out does: then nothing is known of it.
    bool may_throw = false;
    // Waits until the store does nothing by itself, as far as that can be seen.
    std::function<void()> settle = [] {};
    // Sets how far the writer's clock is ahead.
    std::function<void(std::chrono::milliseconds)> ahead = [](std::chrono::milliseconds) {};
  };
  explicit Scenario(Parts parts) : parts_(std::move(parts)) {}

  // "" or what was answered wrongly.
  std::string run();
  // Opens, appends and reads on a machine where nothing goes wrong: everything has to work.
  std::string run_soundly();

  // What appends were answered, in order, of each opening; code 0: written.
  const std::vector<std::vector<ErrorCode>>& answers() const { return answers_; }
  const std::vector<std::string>& states() const { return states_; }  // at each opening's end

 private:
  template <class Step>
  void take(Step step);
  void run_busy();
  void run_short();
  void run_quiet();
  bool open();
  void close();
  void append_small();
  void append_checked();
  void append_large(std::size_t from, std::size_t count);
  void append_at_once(std::size_t from, std::size_t count);
  void repeat_uncertain();
  void wait_for_witness();
  void wait_for_index();
  void read();
  void read_all();
  void read_by(const Query& query, const std::string& name);
  void look();
  bool append(std::size_t number, AppendRequest request, std::size_t events = 1,
              std::size_t bytes = 16, std::vector<ErrorCode> allowed = {});
  void judge(std::size_t number, const Result<Appended>& answer,
             const std::vector<ErrorCode>& allowed);
  void wrong(const std::string& what);
  void wrong_unless_allowed(const std::string& call, const Error& error);
  std::chrono::milliseconds patience() const;
  std::uint64_t written_events() const;

  const Parts parts_;
  std::unique_ptr<EventStore> store_{};
  std::vector<std::vector<ErrorCode>> answers_{};
  std::vector<std::string> states_{};
  std::string wrong_{};
};

}  // namespace esdb::faults
