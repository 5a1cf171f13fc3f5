// The cursor of an engine: waits where the reader has nothing yet, and answers once.
//
// Threads: as esdb::Cursor.
#pragma once

#include <memory>

#include "esdb/implement.h"
#include "storage/engine.h"
#include "storage/place.h"

namespace esdb::storage {

class StoreCursor final : public Cursor::State {
 public:
  StoreCursor(std::shared_ptr<Engine> engine, Reader reader);
  ~StoreCursor() override;

  Result<Batch> next(const NextOptions& options) override;
  void next(const NextOptions& options, Completion<Batch> done) override;
  void cancel() override;

  // For the reader threads: one slice of what a place's next() has to look through.
  static ReaderPool::Attempted attempt(Engine& engine, Place& place);

 private:
  bool take_cancel();

  const std::shared_ptr<Engine> engine_;
  const std::shared_ptr<Place> place_;
  const std::shared_ptr<Waiter> waiter_ = std::make_shared<Waiter>();
};

}  // namespace esdb::storage
