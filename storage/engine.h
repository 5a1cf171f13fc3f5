// The engine: opens, wires and closes the parts, and owns their threads. No other logic.
//
//   caller ─► prepare ─► inbox ─► writer ─► ring ─► device          driver: who advances the writer
//                                   ├► log (arena, segments)        background: segments, witness
//                                   ├► tail index ─► indexer ─► LMDB
//                                   └► answers ─► completions       readers: cursors' batches
//
// Threads: every member from any thread unless it says otherwise. Cursors share the engine, so that
//          they may outlive the store: enter() says whether it still serves.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "esdb/event_store.h"
#include "storage/arrivals.h"
#include "storage/completions.h"
#include "storage/driver.h"
#include "storage/index.h"
#include "storage/indexer.h"
#include "storage/preparer.h"
#include "storage/reader_pool.h"
#include "storage/scrub.h"
#include "storage/writer.h"

namespace esdb::storage {

class Engine {
 public:
  // An empty directory: a store in memory. `machine`: what it runs on instead of this one, for
  // tests that make it fail; it outlives the store and its cursors.
  static Result<std::shared_ptr<Engine>> open(const std::string& directory,
                                              const OpenOptions& options, Io* machine = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // A call in progress: close() waits until it is gone.
  class Entered {
   public:
    explicit Entered(Engine* engine) : engine_(engine) {}
    Entered(Entered&& other) noexcept : engine_(std::exchange(other.engine_, nullptr)) {}
    Entered& operator=(Entered&&) = delete;
    ~Entered();
    explicit operator bool() const { return engine_ != nullptr; }

   private:
    Engine* engine_;
  };
  Entered enter();  // false: closed
  bool is_closing() const { return closing_.load(); }

  const OpenOptions& options() const { return options_; }
  bool is_read_only() const { return options_.access == Access::kReadOnly; }
  Sources sources() const { return {*log_, *tail_, index_.get()}; }
  Inbox& inbox() { return inbox_; }
  Driver& driver() { return driver_; }
  Preparer& preparer() { return *preparer_; }
  Completions& completions() { return completions_; }
  Arrivals& arrivals() { return arrivals_; }
  ReaderPool& readers() { return *readers_; }
  std::string state() const;
  Error refused() const;  // why the inbox took a request no more
  std::string_view io_name() const { return io_->name(); }
  std::uint64_t damaged_segments() const { return scrub_ ? scrub_->damaged_segments() : 0; }
  Time now() { return io_->now(); }

  void advance();         // Drive::kCaller
  void close() noexcept;  // as Writer::advance()

 private:
  explicit Engine(const OpenOptions& options);
  Result<void> open_files(const std::string& directory);
  Result<void> open_index(const std::string& directory);
  Result<void> wire();
  void start_threads();
  void run_indexer(const std::stop_token& stop);
  void run_background(const std::stop_token& stop);
  Result<void> fill_tail();
  Result<void> fill_window();
  static Completions::Run completion_of(RequestPtr request);
  void finish_answers(Writer::Settled settled);
  void answer(RequestPtr request, Result<Appended> result);
  void deliver(std::shared_ptr<Place> place, Result<Batch> batch);
  void stop_writing();
  void stop_indexing();
  void say(std::string_view line) const;
  bool has_files() const { return index_ != nullptr; }

  const OpenOptions options_;
  std::unique_ptr<Io> own_io_;
  Io* io_ = nullptr;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Index> index_;  // null: a store in memory
  std::unique_ptr<TailIndex> tail_;
  std::unique_ptr<Indexer> indexer_;
  std::unique_ptr<IdWindow> window_;
  Inbox inbox_;
  Driver driver_;
  std::unique_ptr<Ring> ring_;
  Completions completions_;
  std::vector<Completions::Run> answered_;  // by the writer in this turn: its driver's
  Arrivals arrivals_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Preparer> preparer_;
  std::unique_ptr<ReaderPool> readers_;
  std::unique_ptr<Scrub> scrub_;  // null: in memory, or only read

  std::thread driving_, indexing_, background_;
  std::stop_source driving_stop_, indexing_stop_, background_stop_;
  Waiter indexing_wake_, background_wake_;
  std::atomic<bool> index_disk_full_{false};  // as of the indexer's last attempt

  // A call counts itself before it looks whether the store closes, and close() says so before it
  // looks at the count: one of them sees the other. Counting itself off is the last that a call
  // does to the engine, which may be gone then.
  std::atomic<bool> closing_{false};
  std::atomic<std::size_t> calls_{0};
  bool closed_ = false;
  std::mutex close_mutex_;
};

}  // namespace esdb::storage
