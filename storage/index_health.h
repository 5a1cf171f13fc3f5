// Whether the index may be trusted. Whoever finds damage in it says so here; from then on nothing
// is answered from it until it has been built anew: by the indexer, or, because of a marker file,
// by the next open.
//
// Threads: any.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "esdb/error.h"

namespace esdb::storage {

class IndexHealth {
 public:
  // `marker`: the file that says so to the next open; empty where nothing may be written.
  IndexHealth(std::string marker, std::function<void(std::string_view)> log)
      : marker_(std::move(marker)), log_(std::move(log)) {}

  bool is_damaged() const { return damaged_.load(std::memory_order_acquire); }
  // Remembers it, and gives the error to answer with.
  Error damaged(std::string_view what);
  Error error() const;  // is_damaged()
  // What was damaged is gone, and nobody reads it any more.
  void forget();

 private:
  const std::string marker_;
  const std::function<void(std::string_view)> log_;
  std::atomic<bool> damaged_{false};
  mutable std::mutex mutex_;
  std::string what_;  // guarded by mutex_
};

}  // namespace esdb::storage
