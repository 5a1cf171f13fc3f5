// Ledger: what was asked of a store and what it answered, and whether a log agrees.
//
// Everything that is asked follows from the append's number, and a ledger is plain memory: it can
// be shared with a process that does not live to tell.
//
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/append.h"
#include "esdb/event_store.h"

namespace esdb::faults {

inline constexpr std::size_t kAppendsMax = 64;
inline constexpr std::size_t kEventsMax = 256;
inline constexpr std::string_view kSource = "relay";  // of tracking

// The events of the append with this number: their ids, streams, bytes.
std::vector<NewEvent> events_of(std::size_t append, std::size_t count, std::size_t bytes);

struct Ledger {
  enum class Outcome : std::uint8_t {
    kNotAsked,
    kUnknown,     // asked, and nothing is certain
    kWritten,     // at `first`
    kNotWritten,  // a definite refusal
  };
  struct Asked {
    Outcome outcome{};
    bool uncertain = false;  // an earlier attempt may be in the log
    std::uint32_t events{};
    std::uint64_t bytes{};    // of each
    std::uint64_t tracked{};  // of the one source; 0: none
    std::uint64_t first{};
    // It was to be written only where this append's events do not lie above `after`.
    std::uint32_t watched{};
    std::uint64_t after{};
  };
  std::array<Asked, kAppendsMax> appends{};
  std::array<std::uint32_t, kEventsMax> shown{};  // by position: which event a reader was given

  // Before it is handed to the store, and when the store has answered. An append that may be in the
  // log stays so whatever is said of its repetition, unless that was written.
  void ask(std::size_t append, std::size_t events, std::size_t bytes);
  void answered(std::size_t append, const Result<Appended>& answer);
  void process_ended();  // what was asked and not answered is uncertain

  bool is_written(std::size_t append) const {
    return appends.at(append).outcome == Outcome::kWritten;
  }
  bool is_uncertain(std::size_t append) const {
    return appends.at(append).outcome == Outcome::kUnknown;
  }

  // "" or what is wrong with what a reader was given: these bytes belong to no append, stand at
  // another position than acknowledged, or at one where another event was shown before.
  std::string see(const RecordedEvent& event);
  // "" or how a whole log contradicts: read from position 1 to its end.
  std::string compare(EventStore& store);

  std::uint64_t acknowledged() const;  // the last position
  std::uint64_t tracked() const;       // acknowledged
  // "" or why the source cannot stand there.
  std::string see_tracked(std::uint64_t position) const;
};

}  // namespace esdb::faults
