// Reader threads: they make the batches of cursors whose next() takes a completion, so that a
// program's I/O loop never waits for a disk.
//
// A place that finds nothing new waits here, costing no thread, until the log moves or its time
// comes. One that has more to look through than an attempt takes goes behind the others, so that
// long scans hold up nobody. Threads are started when first needed.
//
// Threads: any; the threads here run `attempt`.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "storage/arrivals.h"
#include "storage/place.h"

namespace esdb::storage {

class ReaderPool {
 public:
  // Tries to make the batch of a place. Without one its time is not over.
  enum class Outcome : std::uint8_t {
    kBatch,
    kNothingYet,  // until the log moves
    kNotNow,      // the index or the machine cannot: to be attempted again soon
    kMore,        // to look through: to be attempted again
  };
  struct Attempted {
    Outcome outcome{};
    std::optional<Result<Batch>> batch{};  // kBatch
  };
  using Attempt = std::function<Attempted(Place&)>;
  using Deliver = std::function<void(std::shared_ptr<Place>, Result<Batch>)>;

  ReaderPool(std::size_t threads_max, Attempt attempt, Deliver deliver);
  ~ReaderPool();
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  void put(std::shared_ptr<Place> place);
  void moved();  // the log has moved, or a place was cancelled: those that wait try again
  // Every place is attempted once more, then the threads end; what is put later is attempted by
  // whoever puts it. An attempt has an answer for all of them: the store closes.
  void close();

 private:
  void run();
  std::shared_ptr<Place> take(std::unique_lock<std::mutex>& lock);
  void ready_all();
  void ready_late();

  const std::size_t threads_max_;
  const Attempt attempt_;
  const Deliver deliver_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Place>> ready_;
  std::vector<std::shared_ptr<Place>> waiting_;
  std::uint64_t moves_ = 0;  // counted, so that a move during an attempt is not missed
  std::size_t idle_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
  std::atomic<int> anyone_{0};  // 1: ready, waiting or attempted; moved() is free without
};

}  // namespace esdb::storage
