#include "server/cursor_service.h"

#include <algorithm>
#include <utility>

#include "protocol/wire.h"

namespace esdb::server {
namespace {

constexpr std::size_t kShareMin = 16 * 1024;

void answer(CursorService::Next& call, const Result<esdb::Batch>& batch) {
  if (!batch) {
    protocol::put(batch.error(), call.initResults().initError());
    return;
  }
  protocol::put(*batch, call.initResults(protocol::wire_size(*batch)).initBatch());
}

// Counts a batch while it is being made; also one whose completion is dropped with its cursor.
class Making {
 public:
  explicit Making(const Caller& caller)
      : allowance_(caller.allowance), in_flight_(caller.context->in_flight) {
    ++allowance_->batches;
    ++in_flight_->batches;
  }
  Making(Making&&) = default;
  ~Making() {
    if (!in_flight_) return;
    --allowance_->batches;
    --in_flight_->batches;
  }

 private:
  std::shared_ptr<Allowance> allowance_;
  std::shared_ptr<InFlight> in_flight_;
};

}  // namespace

CursorService::CursorService(Caller caller, Result<esdb::Cursor> cursor)
    : caller_(std::move(caller)), cursor_(std::move(cursor)) {
  allowance().cursors.insert(this);
}

CursorService::~CursorService() noexcept(false) { allowance().cursors.erase(this); }

kj::Promise<void> CursorService::next(NextContext call) {
  if (!cursor_) {
    answer(call, std::unexpected(cursor_.error()));
    return kj::READY_NOW;
  }
  if (allowance().calls >= context().options.calls_max) {
    answer(call, std::unexpected(Error{.code = ErrorCode::kOverloaded,
                                       .message = "too many unanswered calls on this connection"}));
    return kj::READY_NOW;
  }
  const auto params = call.getParams();
  auto batch = kj::newPromiseAndFulfiller<Result<esdb::Batch>>();
  waiting_.push_back({.options = {.max_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(
                                      params.getMaxBytes(), kBatchBytesMax)),
                                  .wait = std::min(protocol::from_wire(params.getWaitMs()),
                                                   context().options.wait_max)},
                      .answer = kj::mv(batch.fulfiller)});
  call.releaseParams();
  ++allowance().calls;
  serve_next();
  return shield(caller_, batch.promise.then([this, call](Result<esdb::Batch> made) mutable {
    answer(call, made);
    --allowance().calls;
    serving_ = false;
    serve_next();
  }));
}

kj::Promise<void> CursorService::cancel(CancelContext) {
  if (cursor_ && serving_) cursor_->cancel();
  return kj::READY_NOW;
}

void CursorService::abandon() {
  waiting_.clear();
  if (cursor_ && serving_) cursor_->cancel();
}

void CursorService::serve_next() {
  if (serving_ || waiting_.empty() || allowance().gone || context().closed) return;
  serving_ = true;
  auto now = std::move(waiting_.front());
  waiting_.pop_front();
  now.options.max_bytes = share(now.options.max_bytes);
  cursor_->next(now.options, [making = Making(caller_),
                              fulfiller = kj::mv(now.answer)](Result<esdb::Batch> batch) mutable {
    [[maybe_unused]] const auto made = std::move(making);
    fulfiller->fulfill(kj::mv(batch));
  });
  context().driver.soon();
}

// Of what may be held for this connection and for all, an equal part of each batch being made.
std::size_t CursorService::share(std::size_t wanted) const {
  const auto mine = context().options.batch_bytes / (allowance().batches + 1);
  const auto all = context().options.batch_bytes_all / (context().in_flight->batches + 1);
  return std::min(wanted, std::max(std::min(mine, all), kShareMin));
}

}  // namespace esdb::server
