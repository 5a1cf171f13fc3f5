// Remote cursor: the caller's half of a cursor on a server; cursor_end.h has the other.
//
// Threads: one at a time; cancel() from any.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "client/cursor_request.h"
#include "client/shared.h"
#include "esdb/implement.h"
#include "protocol/received_batch.h"

namespace esdb::client {

class RemoteCursor final : public Cursor::State {
 public:
  RemoteCursor(std::shared_ptr<Shared> shared, CursorRequest request);
  ~RemoteCursor() override;

  Result<Batch> next(const NextOptions& options) override;
  void next(const NextOptions& options, Completion<Batch> done) override;
  void cancel() override;

 private:
  // What a completion needs of the cursor, and whether the cursor is still there.
  struct Place {
    std::recursive_mutex mutex{};  // recursive: a completion may destroy the cursor
    bool abandoned = false;
    Direction direction{};
    Position seen{};                // the last event given out
    std::optional<Error> spoilt{};  // the server cannot be trusted: said for ever
    Result<Batch> open(Result<protocol::ReceivedBatch> received);
  };

  std::shared_ptr<Shared> shared_;
  std::uint64_t id_;
  std::shared_ptr<Place> place_;
};

}  // namespace esdb::client
