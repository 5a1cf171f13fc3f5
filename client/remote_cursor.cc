#include "client/remote_cursor.h"

#include <utility>

#include "client/inside.h"

namespace esdb::client {
namespace {

// Waits longer than this have no deadline: adding them to a time might overflow.
constexpr std::chrono::milliseconds kAsGoodAsForever = std::chrono::days{365};

std::optional<Deadline> deadline_of(const NextOptions& options) {
  if (options.wait >= kAsGoodAsForever) return std::nullopt;
  return std::chrono::steady_clock::now() + options.wait;
}

void cancel_ask(Inside& inside, std::uint64_t ask, std::uint64_t cursor) {
  if (const auto at = inside.cursors.find(cursor); at != inside.cursors.end())
    at->second.cancel(ask);
}

void put_ask(Inside& inside, std::uint64_t cursor, Ask ask) {
  const auto at = inside.cursors.find(cursor);
  if (at == inside.cursors.end())
    ask.answer(std::unexpected(closed_error()));
  else
    at->second.ask(std::move(ask));
}

}  // namespace

RemoteCursor::RemoteCursor(std::shared_ptr<Shared> shared, CursorRequest request)
    : shared_(std::move(shared)), id_(shared_->new_id()), place_(std::make_shared<Place>()) {
  place_->direction = request.options.direction;
  shared_->loop().post([id = id_, request = std::move(request)](Inside& inside) mutable {
    inside.cursors.try_emplace(id, inside.link, inside.timer, std::move(request));
  });
}

RemoteCursor::~RemoteCursor() {
  {
    const std::lock_guard lock(place_->mutex);
    place_->abandoned = true;
  }
  shared_->loop().post([id = id_](Inside& inside) { inside.cursors.erase(id); });
}

Result<Batch> RemoteCursor::Place::open(Result<protocol::ReceivedBatch> received) {
  if (spoilt) return std::unexpected(*spoilt);
  if (!received) return std::unexpected(received.error());
  auto batch = protocol::open(*std::move(received), direction, seen);
  if (!batch) {
    spoilt = batch.error();
    return batch;
  }
  for (auto event : *batch) seen = event.position();
  return batch;
}

Result<Batch> RemoteCursor::next(const NextOptions& options) {
  auto received = shared_->block<protocol::ReceivedBatch>(
      options.stop,
      [&](std::uint64_t id, const std::shared_ptr<Answer<protocol::ReceivedBatch>>& answer) {
        return shared_->loop().post(
            [cursor = id_, ask = Ask{.id = id,
                                     .max_bytes = options.max_bytes,
                                     .deadline = deadline_of(options),
                                     .answer = [answer](Result<protocol::ReceivedBatch> batch) {
                                       answer->set(std::move(batch));
                                     }}](Inside& inside) mutable {
              put_ask(inside, cursor, std::move(ask));
            });
      },
      cancel_ask, id_);
  return place_->open(std::move(received));
}

void RemoteCursor::next(const NextOptions& options, Completion<Batch> done) {
  const auto id = shared_->new_id();
  const auto stop_watch = std::make_shared<StopWatch>();
  auto deliver = [shared = shared_.get(), place = place_, done = std::move(done),
                  stop_watch](Result<protocol::ReceivedBatch> received) mutable {
    shared->complete([place, done = std::move(done), received = std::move(received)]() mutable {
      const std::lock_guard lock(place->mutex);
      if (!place->abandoned) done(place->open(std::move(received)));
    });
  };
  const auto answer =
      std::make_shared<std::move_only_function<void(Result<protocol::ReceivedBatch>)>>(
          std::move(deliver));
  const bool posted = shared_->loop().post(
      [cursor = id_, ask = Ask{.id = id,
                               .max_bytes = options.max_bytes,
                               .deadline = deadline_of(options),
                               .answer = [answer](Result<protocol::ReceivedBatch> batch) {
                                 (*answer)(std::move(batch));
                               }}](Inside& inside) mutable {
        put_ask(inside, cursor, std::move(ask));
      });
  if (!posted) {
    (*answer)(std::unexpected(closed_error()));
    return;
  }
  stop_watch->start(options.stop, [shared = shared_, cursor = id_, id]() {
    shared->loop().post([cursor, id](Inside& inside) { cancel_ask(inside, id, cursor); });
  });
}

void RemoteCursor::cancel() {
  shared_->loop().post([id = id_](Inside& inside) { cancel_ask(inside, 0, id); });
}

}  // namespace esdb::client
