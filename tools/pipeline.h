// Pipeline: many appends in flight from one source, in order, each exactly once.
//
// Every append carries tracking (the source, and the place its last event had there), so what is
// written and how far the source has come change together: a source read again from
// tracked(source) on is neither written twice nor left out.
//
// Appends are sent without waiting for the answers of those before. None is written behind one that
// was not, because each says how far the one before it comes (Tracking::after), also against
// another import of the same source. When an append fails, everything in flight is waited for,
// tracked(source) says what was written, and the rest is sent again, the same events with the same
// ids.
//
// An append that was in the log already, of another source, is answered `repeated` and stores no
// tracking, so that everything behind it is refused. Then its tracking is stored alone, and what
// stood behind it is sent again.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
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
  std::uint64_t events{}, appends{};  // written
  std::uint64_t repeated{};           // appends that were there already, from elsewhere
  std::uint64_t tracked_to{};  // everything of the source up to here is written or was left out
};

// "3 appends were there already\n", or nothing.
std::string told_repeated(const PipelineTotals& totals);

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
  // After finish(): the source is done up to `position`, the end of which was left out.
  Result<void> close_at(std::uint64_t position);

  const PipelineTotals& totals() const { return totals_; }

 private:
  struct Sent;
  struct Shared;
  enum class Repeated : std::uint8_t { kWhenFull, kAtOnce };

  Result<void> pump(Repeated when);
  bool is_full() const;
  Result<void> send_next();
  void wait_for_an_answer();
  void wait_for_all();
  // Takes answers from the front, up to a repeated one; the error of the first failed.
  std::optional<Error> collect();
  bool was_repeated(const Sent& sent) const;
  Result<void> take_repeated();
  Result<std::uint64_t> track_up_to(std::uint64_t position);  // how far it had come before
  void send_all_again();
  Result<void> recover(Error error);
  Result<void> look_again(const Error& error);
  Result<void> refuse_front(const Error& error);
  Result<void> pause(const Error& error);
  Error another_is_at_work(std::uint64_t tracked) const;
  void written(const Unit& unit);
  void not_stuck();

  EventStore& store_;
  PipelineOptions options_;
  CallOptions call_{};
  std::deque<Unit> waiting_{};  // to be sent
  std::deque<std::shared_ptr<Sent>> sent_{};
  std::size_t bytes_in_flight_ = 0;
  std::shared_ptr<Shared> shared_;
  PipelineTotals totals_{};
  std::uint64_t sent_to_ = 0;  // what is stored once everything sent is written
  std::size_t window_;         // units in flight, fewer where repeated appends refuse what follows
  std::optional<std::chrono::steady_clock::time_point> stuck_since_{};
  std::chrono::milliseconds pause_{0};
};

}  // namespace esdb::tools
