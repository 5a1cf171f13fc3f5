// A store that answers what a test tells it to, to see how an answer crosses the wire.
//
// Threads: as EventStore; what it answers is set before it is asked.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "esdb/event_store.h"
#include "esdb/implement.h"
#include "protocol/loop_queue.h"

namespace esdb::tests {

class StubStore final : public EventStore {
 public:
  std::string store_id = "11111111-1111-7111-8111-111111111111";
  // Nothing: appends are never answered.
  std::optional<Result<Appended>> append_answer{};
  std::function<Result<std::uint64_t>()> counting{};                   // on whichever thread asks
  Error error{.code = ErrorCode::kUnavailable, .message = "as told"};  // of everything else

  using EventStore::append;
  Result<Appended> append(EncodedAppend, const CallOptions&) override {
    return std::unexpected(error);
  }
  void append(EncodedAppend, const CallOptions&, Completion<Appended> done) override {
    if (append_answer)
      queue_.push(
          [done = std::move(done), answer = *append_answer]() mutable { done(std::move(answer)); });
    else
      unanswered_.push_back(std::move(done));
  }
  Cursor read(Query, const ReadOptions&) override { return failing(); }
  Cursor subscribe(Query, Start) override { return failing(); }
  Result<StreamInfo> stream_info(std::string_view) override { return std::unexpected(error); }
  Result<StreamPage> streams(std::string_view, std::string_view, std::size_t) override {
    return std::unexpected(error);
  }
  Result<TermPage> terms(TermKind, std::string_view, std::string_view, std::size_t) override {
    return std::unexpected(error);
  }
  Result<std::uint64_t> count(Query, Position) override {
    if (counting) return counting();
    return std::unexpected(error);
  }
  Result<std::uint64_t> tracked(std::string_view) override { return std::unexpected(error); }
  Result<TrackingPage> tracking(std::string_view, std::string_view, std::size_t) override {
    return std::unexpected(error);
  }
  Result<Statistics> statistics() override { return Statistics{.store_id = store_id}; }
  int wake_fd() const override { return queue_.wake_fd(); }
  void advance() override { queue_.drain(); }
  void close() override {}

 private:
  struct Failing final : Cursor::State {
    Failing(Error e, protocol::LoopQueue& q) : error(std::move(e)), queue(q) {}
    Result<Batch> next(const NextOptions&) override { return std::unexpected(error); }
    void next(const NextOptions&, Completion<Batch> done) override {
      queue.push(
          [done = std::move(done), answer = error]() mutable { done(std::unexpected(answer)); });
    }
    void cancel() override {}
    Error error;
    protocol::LoopQueue& queue;
  };
  Cursor failing() { return Cursor(std::make_unique<Failing>(error, queue_)); }

  protocol::LoopQueue queue_;
  std::vector<Completion<Appended>> unanswered_;
};

}  // namespace esdb::tests
