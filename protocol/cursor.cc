#include "esdb/cursor.h"

#include "esdb/implement.h"

namespace esdb {
namespace {

Error moved_from() {
  return {.code = ErrorCode::kClosed,
          .message = "this cursor was moved from: use the one it was moved to"};
}

}  // namespace

Start Start::end() {
  Start start;
  start.kind = Kind::kEnd;
  return start;
}

Start Start::after(Position seen) {
  Start start;
  start.kind = Kind::kPosition;
  start.number = seen.value;
  return start;
}

Start Start::after(Checkpoint seen) {
  Start start;
  start.kind = Kind::kCheckpoint;
  start.checkpoint = std::move(seen);
  return start;
}

Start Start::after_version(Version seen) {
  Start start;
  start.kind = Kind::kVersion;
  start.number = seen.value;
  return start;
}

Start Start::since(Time committed) {
  Start start;
  start.kind = Kind::kTime;
  start.time = committed;
  return start;
}

Cursor::Cursor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;
Cursor::~Cursor() = default;

Result<Batch> Cursor::next(const NextOptions& options) {
  if (!state_) return std::unexpected(moved_from());
  return state_->next(options);
}

void Cursor::next(const NextOptions& options, Completion<Batch> done) {
  if (!state_) return done(std::unexpected(moved_from()));
  state_->next(options, std::move(done));
}

void Cursor::cancel() {
  if (state_) state_->cancel();
}

}  // namespace esdb
