#include "esdb/projection.h"

#include <exception>

#include "esdb/deciding.h"

namespace esdb {
namespace {

// How long a subscription waits before it tells the view how far it has come without events.
constexpr std::chrono::milliseconds kProgressEvery = std::chrono::seconds(1);
// Between two attempts, where the store answers at once that it cannot answer now.
constexpr std::chrono::milliseconds kPause = std::chrono::milliseconds(100);

Error failed(std::string message) {
  return {.code = ErrorCode::kFailed, .message = std::move(message)};
}

}  // namespace

std::unexpected<Error> Projection::named(Error error) const {
  error.message.insert(0, "projection " + name_ + ": ");
  return std::unexpected(std::move(error));
}

Result<Checkpoint> Projection::stands_at() {
  auto at = view_.begin();
  if (!at) return named(std::move(at.error()));
  view_.rollback();  // only looked at
  considered_.store(at->position, std::memory_order_relaxed);
  return at;
}

Result<void> Projection::handle(RecordedEvent event) {
  const auto found = handlers_.find(event.type());
  Handler& handler = found == handlers_.end() ? fallback_ : found->second;
  if (!handler) return {};
  const auto where = [&] {
    return "event " + to_string(event.position()) + " (" + std::string(event.type()) + "): ";
  };
  try {
    auto handled = handler(event);
    if (!handled) handled.error().message.insert(0, where());
    return handled;
  } catch (const std::exception& thrown) {
    return std::unexpected(failed(where() + thrown.what()));
  } catch (...) {
    return std::unexpected(failed(where() + "the handler threw something that says nothing"));
  }
}

Result<void> Projection::handle_all(const Batch& batch) {
  for (const auto event : batch)
    if (auto handled = handle(event); !handled) return handled;
  return {};
}

Result<void> Projection::apply(const Batch& batch, Checkpoint& at) {
  if (!batch.empty() || batch.checkpoint() != at) {
    const auto stands = view_.begin();
    if (!stands) return named(stands.error());
    Result<void> done{};
    if (*stands != at)
      done = std::unexpected(failed("the view stands at position " + to_string(stands->position) +
                                    " and not at " + to_string(at.position) +
                                    ", where this projection left it: someone else moves it too"));
    if (done) done = handle_all(batch);
    if (done) done = view_.commit(batch.checkpoint());
    if (!done) {
      view_.rollback();
      return named(std::move(done.error()));
    }
    at = batch.checkpoint();
  }
  considered_.store(at.position, std::memory_order_relaxed);
  lag_.store(batch.lag(), std::memory_order_relaxed);
  return {};
}

Result<Position> Projection::run_until_caught_up(const CallOptions& call) {
  auto at = stands_at();
  if (!at) return std::unexpected(std::move(at.error()));
  auto cursor = store_.read(query_, {.start = Start::after(*at)});
  const NextOptions next{.wait = call.timeout.count() ? call.timeout : kForever, .stop = call.stop};
  for (;;) {
    const auto batch = cursor.next(next);
    if (!batch) return named(batch.error());
    if (auto applied = apply(*batch, *at); !applied)
      return std::unexpected(std::move(applied.error()));
    if (batch->finished()) return at->position;
  }
}

Result<void> Projection::run(std::stop_token stop) {
  auto at = stands_at();
  if (!at) return std::unexpected(std::move(at.error()));
  auto cursor = store_.subscribe(query_, Start::after(*at));
  while (!stop.stop_requested()) {
    const auto batch = cursor.next({.wait = kProgressEvery, .stop = stop});
    if (batch) {
      if (auto applied = apply(*batch, *at); !applied) return applied;
    } else if (remedy(batch.error().code) == Remedy::kRepeat) {
      internal::pause(kPause, stop);
    } else if (!stop.stop_requested()) {
      return named(batch.error());
    }
  }
  return {};
}

}  // namespace esdb
