#include "tools/reading.h"

#include <algorithm>
#include <thread>

#include "tools/terminal.h"

namespace esdb::tools {

using std::chrono::milliseconds;

// Of following, after which an event is waited for anew: a server that is away is found out and
// told.
constexpr milliseconds kLongWait{2000};
// Long enough for an answer on its way, short enough to find out that nothing more is there.
constexpr milliseconds kShortWait{50};

bool is_interruption(const Error& error, const Invocation& invocation) {
  return error.code == ErrorCode::kCancelled && invocation.around.stop.stop_requested();
}

Result<Batch> Reading::next() {
  const auto wait = patience_ == Patience::kForever    ? kLongWait
                    : patience_ == Patience::kToTheEnd ? kShortWait
                                                       : invocation_.global.timeout_parsed;
  for (;;) {
    auto batch =
        cursor_.next({.max_bytes = kBatchBytesMax, .wait = wait, .stop = invocation_.around.stop});
    if (batch) {
      last_success_ = std::chrono::steady_clock::now();
      pause_ = {};
      return batch;
    }
    if (!may_go_on(batch.error())) return batch;
  }
}

bool Reading::may_go_on(const Error& error) {
  if (remedy(error.code) != Remedy::kRepeat || invocation_.around.stop.stop_requested())
    return false;
  const auto stuck = std::chrono::steady_clock::now() - last_success_;
  if (patience_ != Patience::kForever && stuck >= invocation_.global.timeout_parsed) return false;
  if (pause_ == milliseconds{} && patience_ == Patience::kForever)
    invocation_.err() << "esctl: " << printable(error.message) << "; waiting" << std::endl;
  pause_ = std::clamp(pause_ * 2, milliseconds{20}, milliseconds{1000});
  std::this_thread::sleep_for(pause_);
  return true;
}

Result<void> for_each_batch(Cursor cursor, const Invocation& invocation,
                            const std::function<Result<void>(const Batch&)>& handle) {
  Reading reading(std::move(cursor), invocation, Reading::Patience::kTimeout);
  for (;;) {
    const auto batch = reading.next();
    if (!batch) return std::unexpected(batch.error());
    if (auto handled = handle(*batch); !handled) return handled;
    if (batch->finished()) return {};
    if (invocation.around.stop.stop_requested())
      return std::unexpected(Error{.code = ErrorCode::kCancelled, .message = "interrupted"});
  }
}

}  // namespace esdb::tools
