// Pipeline: many appends in flight from one source, in order, each exactly once.
//
// Every append carries tracking (the source, and the place its last event had there), so what is
// written and how far the source has come change together: a source read again from
// tracked(source) on is neither written twice nor left out.
//
// Appends are sent without waiting for the answers of those before. None may be written behind one
// that was not, so each, unless nothing is in flight, carries a check that holds only when the one
// before it was written: a stream that one wrote to is at the version it left. (A third writer that
// appends to that very stream between the two could make it hold; what is tracked stays true to
// what is written even then.) When an append fails, everything in flight is waited for,
// tracked(source) says what was written, and the rest is sent again, the same events with the same
// ids.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "esdb/event_store.h"

namespace esdb::tools {

// One append to be made: what stands or falls together.
struct Unit {
  std::vector<NewEvent> events{};
  std::vector<std::uint64_t> places{};  // of each event in the source: its line, or its position
  std::uint64_t tracked_to{};           // the place up to which the source is done with this append
};

struct PipelineOptions {
  std::string source{};
  std::chrono::milliseconds timeout = std::chrono::seconds(30);  // without any progress
  std::stop_token stop{};
  std::size_t units_in_flight_max = 64;
  std::size_t bytes_in_flight_max = std::size_t{8} << 20;
  // The store (or the check before it) refuses this append for what it holds: true leaves it out
  // and goes on, false ends the pipeline with the error.
  std::function<bool(const Unit&, const Error&)> leave_out{};
};

struct PipelineTotals {
  std::uint64_t events{}, appends{};
  std::uint64_t tracked_to{};  // everything of the source up to here is written or was left out
};

// The version each stream has once everything sent is written, as far as that is known.
// Threads: one.
class SentVersions {
 public:
  explicit SentVersions(EventStore& store) : store_(store) {}
  void store_is_empty() { unseen_is_new_ = true; }  // a stream not seen here has version 0

  // Counts the events about to be sent. The answer holds only when they are written; nothing where
  // no stream of theirs has a known version.
  std::optional<Check> count(const std::vector<NewEvent>& events);

  void forget();          // another writer was there
  void forget_unknown();  // nothing is in flight: what is unknown can be asked for again

 private:
  static constexpr std::size_t kStreamsMax = 500'000;

  EventStore& store_;
  bool unseen_is_new_ = false;
  // Nothing: written to by an append in flight from a version that is not known.
  std::unordered_map<std::string, std::optional<std::uint64_t>> versions_{};
};

// Threads: one; completions meet it in Shared.
class Pipeline {
 public:
  Pipeline(EventStore& store, PipelineOptions options);
  ~Pipeline();  // waits for what is in flight
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // How far the source has come; to be called first.
  Result<std::uint64_t> begin();
  // Takes a unit; waits while too much is in flight. After an error nothing more is sent, and
  // everything that was has its answer.
  Result<void> push(Unit unit);
  Result<void> finish();  // until everything pushed is written

  const PipelineTotals& totals() const { return totals_; }

 private:
  struct Sent;
  struct Shared;

  Result<void> pump();
  Result<void> send_next();
  void wait_for_an_answer();
  void wait_for_all();
  std::optional<Error> collect();  // takes answers from the front; the error of the first failed
  Result<void> recover(Error error);
  Result<void> look_again(const Error& error);
  Result<void> refuse_front(const Error& error);
  Result<void> pause(const Error& error);
  void written(const Unit& unit);

  EventStore& store_;
  PipelineOptions options_;
  CallOptions call_{};
  SentVersions versions_;
  std::optional<Check> chain_{};  // what the next append needs to hold behind the last one sent
  std::deque<Unit> waiting_{};    // to be sent
  std::deque<std::shared_ptr<Sent>> sent_{};
  std::size_t bytes_in_flight_ = 0;
  std::shared_ptr<Shared> shared_;
  PipelineTotals totals_{};
  std::optional<std::chrono::steady_clock::time_point> stuck_since_{};
  std::chrono::milliseconds pause_{0};
};

}  // namespace esdb::tools
