// Projection: events in, a view out; each event takes effect exactly once because the view and its
// checkpoint change together.
//
//   esdb::MemoryView<Totals> view;
//   esdb::Projection totals(*store, "totals", esdb::category("order"), view);
//   totals.on("Placed", [&](esdb::RecordedEvent e) { view.state().add(e); });
//   totals.run_until_caught_up().value();
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <utility>

#include "esdb/event_store.h"

namespace esdb {

// What holds a projection's result: a database, a map, a search index. The one thing it must do is
// to keep the checkpoint in the same transaction as the result. Called by one thread at a time. Any
// error ends the run; of a transaction that was begun, rollback() is called first.
class View {
 public:
  virtual ~View() = default;
  // Opens a transaction and gives what the last commit() stored; a Checkpoint{} before the first.
  virtual Result<Checkpoint> begin() = 0;
  // Stores the changes since begin() and the checkpoint, or neither. After an error, rollback()
  // follows.
  virtual Result<void> commit(const Checkpoint& reached) = 0;
  // Undoes the changes since begin(). Nothing is to be told when that fails too.
  virtual void rollback() = 0;
};

// Threads: built and run by one thread at a time; considered() and lag() from any.
class Projection {
 public:
  using Handler = std::move_only_function<Result<void>(RecordedEvent)>;

  // The store and the view outlive the projection. The name is what errors call it.
  Projection(EventStore& store, std::string name, Query query, View& view)
      : store_(store), name_(std::move(name)), query_(std::move(query)), view_(view) {}

  // Handlers return void or Result<void>, and are called inside a transaction of the view. An
  // exception that leaves one is caught and becomes the run's error, kFailed; a handler's own error
  // keeps its code; either names the event's position and type. A type that no handler names is
  // passed over, or given to otherwise(). A type named again gets the new handler.
  template <class F>
  Projection& on(std::string type, F handler) {
    handlers_.insert_or_assign(std::move(type), wrap(std::move(handler)));
    return *this;
  }
  template <class F>
  Projection& otherwise(F handler) {
    fallback_ = wrap(std::move(handler));
    return *this;
  }

  // Both begin where the view stands, and commit it batch by batch. After an error the view is as
  // at its last commit; run again to go on. kOtherStore: the view belongs to another store, or to
  // this one before it was restored: empty the view and run again. kFailed also when someone else
  // moved the view meanwhile.
  //
  // Up to where the log ends when it begins; the answer is how far it came. The timeout is of each
  // wait for the store, not of the whole.
  Result<Position> run_until_caught_up(const CallOptions& call = {});
  // Until stopped (success; a batch that was begun is finished) or an error that waiting does not
  // mend. While the store is away it waits.
  Result<void> run(std::stop_token stop);

  // How far the view has come since this object first ran, and how many positions lay before it
  // when it last looked.
  Position considered() const { return considered_.load(std::memory_order_relaxed); }
  std::uint64_t lag() const { return lag_.load(std::memory_order_relaxed); }

 private:
  template <class F>
  static Handler wrap(F handler) {
    return [handler = std::move(handler)](RecordedEvent e) mutable -> Result<void> {
      if constexpr (std::is_void_v<std::invoke_result_t<F&, RecordedEvent>>)
        return handler(e), Result<void>{};
      else
        return handler(e);
    };
  }
  Result<Checkpoint> stands_at();
  Result<void> apply(const Batch& batch, Checkpoint& at);
  Result<void> handle_all(const Batch& batch);
  Result<void> handle(RecordedEvent event);
  std::unexpected<Error> named(Error error) const;

  EventStore& store_;
  std::string name_;
  Query query_;
  View& view_;
  std::map<std::string, Handler, std::less<>> handlers_{};
  Handler fallback_{};
  std::atomic<Position> considered_{};
  std::atomic<std::uint64_t> lag_{};
};

}  // namespace esdb
