// MemoryView: a projection's result as a value in memory. It is gone with the process: the next one
// projects from the beginning.
#pragma once

#include <concepts>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "esdb/projection.h"

namespace esdb {

// A transaction works on a copy, made when it first asks for state(), and commit() puts the copy in
// the place of what was there. Readers are never in the way of the projection, nor it in theirs;
// the price is one copy of the state for each batch of events that change it.
//
// Threads: begin(), commit(), rollback() and state() belong to the projection; committed() and
// checkpoint() are for any thread.
template <class S>
requires std::copy_constructible<S>
class MemoryView final : public View {
 public:
  MemoryView() requires std::default_initializable<S> : MemoryView(S{}) {}
  explicit MemoryView(S initial) : committed_(std::make_shared<const S>(std::move(initial))) {}

  // What the handlers change. Only inside a transaction: changes made elsewhere are lost.
  S& state() {
    if (!working_) working_ = std::make_unique<S>(*committed());
    return *working_;
  }

  // The state as at the last commit; it does not change any more.
  std::shared_ptr<const S> committed() const {
    const std::lock_guard lock(mutex_);
    return committed_;
  }
  // How far that state has come.
  Checkpoint checkpoint() const {
    const std::lock_guard lock(mutex_);
    return checkpoint_;
  }

  Result<Checkpoint> begin() override {
    working_.reset();
    return checkpoint();
  }
  Result<void> commit(const Checkpoint& reached) override {
    const std::lock_guard lock(mutex_);
    if (working_) committed_ = std::shared_ptr<const S>(std::move(working_));
    checkpoint_ = reached;
    return {};
  }
  void rollback() override { working_.reset(); }

 private:
  mutable std::mutex mutex_{};  // of the two that follow
  std::shared_ptr<const S> committed_;
  Checkpoint checkpoint_{};
  std::unique_ptr<S> working_{};
};

}  // namespace esdb
