// Projection: events in, a view out; each event takes effect exactly once because the view and its
// checkpoint change together.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <type_traits>
#include <utility>

#include "esdb/event_store.h"

namespace esdb {

// What holds a projection's result: a database, a map, a search index. The one thing it must do is
// to keep the checkpoint in the same transaction as the result. Called by one thread at a time. Any
// error ends the run; rollback() is called first.
class View {
 public:
  virtual ~View() = default;
  virtual Result<Checkpoint> begin() = 0;  // opens a transaction; what the last commit stored
  virtual Result<void> commit(
      const Checkpoint&) = 0;  // the changes since begin() and the checkpoint, or neither
  virtual void rollback() = 0;
};

class Projection {
 public:
  using Handler = std::move_only_function<Result<void>(RecordedEvent)>;

  // The store and the view outlive the projection.
  Projection(EventStore& store, std::string name, Query query, View& view)
      : store_(store), name_(std::move(name)), query_(std::move(query)), view_(view) {}

  // Handlers return void or Result<void>. An exception that leaves one is caught and becomes the
  // run's error, with the event's position. A type that no handler names is passed over, or given
  // to otherwise().
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

  // Both begin where the view stands. kOtherStore: the view belongs to another store (or this one
  // was restored to an earlier point): rebuild it. After an error the view is as at its last
  // commit; run again to go on.
  Result<Position> run_until_caught_up(const CallOptions& call = {});
  Result<void> run(
      std::stop_token stop);  // until stopped (success) or an error that waiting does not mend

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
  Result<void> apply(const Batch& batch, const std::string& store_id);
  Result<Cursor> open_cursor(std::string& store_id);

  EventStore& store_;
  std::string name_;
  Query query_;
  View& view_;
  std::map<std::string, Handler, std::less<>> handlers_;
  Handler fallback_;
};

}  // namespace esdb
