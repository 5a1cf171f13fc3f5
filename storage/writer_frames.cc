// The writer's frames: room for a request, its records laid out, the write submitted.
#include <algorithm>
#include <utility>

#include "storage/check.h"
#include "storage/sabotage.h"
#include "storage/writer.h"

namespace esdb::storage {
namespace {

std::size_t content_of(const Request& request, const Log& log) {
  std::size_t bytes = 0;
  for (const auto& event : request.parts->events) bytes += log.content_bytes(event.encoded.size());
  for (const auto& tracking : request.parts->tracking)
    bytes += log.content_bytes(sizeof(std::uint64_t) + tracking.source.size());
  return bytes;
}

}  // namespace

Writer::Placed Writer::place(RequestPtr& request) {
  if (request->failed) {
    auto error = std::move(*request->failed);
    answer(std::move(request), std::unexpected(std::move(error)));
    return Placed::kYes;
  }
  const std::size_t bytes = content_of(*request, log_);
  const std::size_t events = request->parts->events.size();
  bool disk_full = false;
  if (frame_open_ && frame_bytes_ + bytes > kFrameBytesMax) return Placed::kFrameFull;
  if (!log_.has_room(bytes, events)) {
    if (frame_open_) return Placed::kFrameFull;
    if (!make_room(bytes, events)) return Placed::kStalled;
    disk_full = disk_full_;
  }
  auto verdict = judge(*request, log_, tail_, window_);
  if (verdict.kind == Verdict::Kind::kPrepareAgain) {
    hold(std::move(request), verdict.compare);
    return Placed::kYes;
  }
  const bool refused = verdict.kind == Verdict::Kind::kRefuse;
  if (!take_up(request, refused ? Request::Phase::kRefused : Request::Phase::kTaken))
    return Placed::kYes;
  if (refused) {
    request->answer = std::unexpected(std::move(verdict.error));
    give({.request = std::move(request), .kind = Answer::Kind::kRefused}, verdict.rests_on,
         verdict.rests_on_tracking);
  } else if (verdict.kind == Verdict::Kind::kRepeat) {
    give({.request = std::move(request), .kind = Answer::Kind::kRepeated, .commit = verdict.commit},
         verdict.rests_on, false);
  } else if (disk_full) {
    answer(std::move(request),
           std::unexpected(Error{.code = ErrorCode::kDiskFull,
                                 .message = "append: the disk is full, and the next segment "
                                            "needs space; free some and repeat it"}));
  } else {
    ESDB_CHECK(verdict.kind == Verdict::Kind::kAccept);
    accept(std::move(request), bytes);
  }
  return Placed::kYes;
}

// Room in a fresh segment: a barrier, so that only the last segment with a frame can be torn.
// False: not now. A full disk lets the request through to be judged, and only then refused.
bool Writer::make_room(std::size_t bytes, std::size_t events) {
  if (!in_flight_.empty() && !sabotaged(Sabotage::kRollWithoutBarrier)) return false;
  auto rolled = log_.roll();
  if (rolled == Log::Rolled::kNotReady && background_inline_) {
    auto step = log_.background_step(io_.steady());
    while (step && *step) step = log_.background_step(io_.steady());
    if (!step) {
      fail(step.error().message);
      return false;
    }
    rolled = log_.roll();
  }
  tells_.background_due();
  disk_full_ = rolled == Log::Rolled::kDiskFull;
  switch (rolled) {
    case Log::Rolled::kYes:
      ESDB_CHECK(log_.has_room(bytes, events));
      return true;
    case Log::Rolled::kNotReady:
      return false;
    case Log::Rolled::kDiskFull:
      return true;
  }
  return false;
}

void Writer::bring_up_to_date(std::span<Prepared::Stream> streams) const {
  for (std::size_t i = 0; i < streams.size(); ++i) {
    look_ahead(i, streams.size(),
               [&](std::size_t at, Prefetch what) { tail_.prefetch_head(streams[at].name, what); });
    streams[i].head = head_of(streams[i], tail_);
  }
}

void Writer::accept(RequestPtr request, std::size_t content_bytes) {
  const auto& parts = *request->parts;
  auto& prepared = request->prepared;
  if (!frame_open_) {
    if (log_.needs_epoch()) {
      const auto epoch = log_.place_epoch();
      tail_.add_epoch(epoch.mark.epoch_id);
      submit(epoch.write, {});
    }
    log_.begin_frame(std::max(log_.last_commit_time(), io_.now()));
    frame_open_ = true;
  }
  frame_bytes_ += content_bytes;
  for (std::size_t i = 0; i < parts.tracking.size(); ++i) {
    const bool last = parts.events.empty() && i + 1 == parts.tracking.size();
    log_.add_tracking(parts.tracking[i].source, parts.tracking[i].position, last);
    tail_.add_tracking(parts.tracking[i].source, parts.tracking[i].position);
  }
  Appended appended;
  appended.committed = log_.last_commit_time();
  auto& streams = prepared.streams;
  bring_up_to_date(streams);
  const auto prefetch_event = [&](std::size_t at, Prefetch what) {
    const auto& named = prepared.events[at];
    tail_.prefetch_added(streams[named.stream].name, what);
    for (const TermRef& tag : named.tags) tail_.prefetch_added(tag, what);
  };
  for (std::size_t i = 0; i < parts.events.size(); ++i) {
    look_ahead(i, parts.events.size(), prefetch_event);
    const auto& event = parts.events[i];
    const auto& named = prepared.events[i];
    auto& stream = streams[named.stream];
    const bool last = i + 1 == parts.events.size();
    const Version version = stream.head.version.value + 1;
    const Position position = log_.add_event({.encoded = event.encoded,
                                              .hash = event.hash,
                                              .id = event.id,
                                              .fingerprint = event.fingerprint,
                                              .version = version,
                                              .previous = stream.head.last,
                                              .ordinal = static_cast<std::uint32_t>(i),
                                              .ends_commit = last});
    stream.head = {.version = version, .last = position};
    tail_.add({.position = position,
               .version = version,
               .stream = stream.name,
               .category = stream.category,
               .type = named.type,
               .tags = named.tags});
    window_.add(position, IdWindow::entry(event.id, event.fingerprint, last));
    if (i == 0) appended.first = position;
    appended.last = position;
  }
  appended.streams = std::move(request->written);
  for (std::size_t i = 0; i < appended.streams.size(); ++i)
    appended.streams[i].version = prepared.streams[i].head.version;
  request->answer = std::move(appended);
  frame_answers_.push_back({.request = std::move(request), .kind = Answer::Kind::kAppended});
}

void Writer::end_frame() {
  const auto ended = log_.end_frame();
  tail_.end_frame(ended.mark, ended.write.bytes.size());
  frame_open_ = false;
  frame_bytes_ = 0;
  std::vector<Answer> next;
  next.reserve(frame_answers_.size());  // most frames are about as large as the one before
  submit(ended.write, std::exchange(frame_answers_, std::move(next)));
}

void Writer::submit(const FrameWrite& write, std::vector<Answer> answers) {
  if (sabotaged(Sabotage::kAnswerBeforeDurable)) tell_all(std::exchange(answers, {}));
  if (in_flight_.empty()) progress_at_ = io_.steady();
  ring_.write_durable(*write.file, write.offset, write.bytes, write.frame_number);
  in_flight_.push_back({.write = write, .answers = std::move(answers)});
}

}  // namespace esdb::storage
