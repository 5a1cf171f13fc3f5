// The writer: a state machine that takes what waits, judges it, lays out one frame, submits it, and
// answers when it is durable. advance() does what can be done and returns; it never waits.
//
//   inbox ─► pending ─► judge ─┬─► frame ─► device write ─► durable ─► answers, in log order
//                              ├─► refused: at once, or with the frame the refusal rests on
//                              └─► to be prepared again, its session held meanwhile
//
// Group commit: a frame is submitted when nothing is in flight, or when 256 KiB wait and fewer than
// four are. A fixed rule, so that a seed replays it.
//
// A device write that fails ends writing: what was in flight is answered kOutcomeUnknown, the rest
// kReadOnly, and the durable position stands still until the store is opened again.
//
// Threads: advance(), shut() and has_work(): the driver, one thread at a time. state(),
//          is_stalled(), needs_ticks(): any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/id_window.h"
#include "storage/inbox.h"
#include "storage/io.h"
#include "storage/judge.h"

namespace esdb::storage {

// So much waiting is worth another frame while one is in flight.
inline constexpr std::size_t kPipelineBytes = std::size_t{256} << 10;

class Writer {
 public:
  struct Parts {
    Io& io;
    Log& log;
    TailIndex& tail;
    IdWindow& window;
    Inbox& inbox;
    Ring& ring;
    std::size_t tail_bytes_max{};       // appends wait above it; 0: no bound
    std::size_t unindexed_bytes_max{};  // likewise, of the log's bytes that are not in the index
    std::size_t pipeline_bytes = kPipelineBytes;
    bool background_inline = false;  // no thread prepares segments: do it here (memory:)
  };
  struct Settled {
    std::size_t count{};
    std::size_t bytes{};
  };
  // What the writer tells, on the driver's thread. None of them may call back.
  struct Tells {
    std::function<void(RequestPtr)> answer;  // with Request::answer
    // Those were all for now, and so many are to be settled in the inbox.
    std::function<void(Settled)> answered;
    std::function<void(RequestPtr)> prepare_again;
    // A retry's first answer; its place in the inbox is given up with it.
    std::function<void(RequestPtr, CommitSpan)> answer_from_log;
    std::function<void()> durable_moved;
    std::function<void()> background_due;  // a segment was rolled over, or the next is awaited
    std::function<void(std::string_view)> log;
  };
  Writer(const Parts& parts, Tells tells);
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Memory that runs out here ends the process: half a turn must not be gone on from.
  void advance() noexcept;
  // Something waits or is in flight: advance() is to be called when the ring or a request says so.
  bool has_work() const;
  // Something is pending and cannot go on by itself (no room, no segment): look again soon.
  bool is_stalled() const { return stalled_.load(std::memory_order_relaxed); }
  // Somebody's deadline may pass with nothing else happening: advance() is to be called now and
  // then.
  bool needs_ticks() const { return needs_ticks_.load(std::memory_order_relaxed); }
  // As is_stalled(), and nobody will say when: in memory nothing works in the background.
  bool looks_again_at_once() const { return background_inline_ && is_stalled() && is_idle(); }
  bool is_idle() const { return in_flight_.empty(); }
  // Refuses everything that waits with kClosed. What is in flight is still answered by advance().
  void shut();

  // Ends writing: the device failed. Any thread; the driver is to be nudged.
  void fail(const std::string& why);

  // "ready", "read_only: ...", "disk_full: ...": for statistics.
  std::string state() const;
  bool is_read_only() const { return read_only_.load(std::memory_order_acquire); }

 private:
  struct Answer {
    RequestPtr request{};
    // The first two are answered with Request::answer.
    enum class Kind : std::uint8_t { kAppended, kRefused, kRepeated } kind{};
    CommitSpan commit{};
  };
  struct InFlight {
    FrameWrite write{};
    bool ended = false;
    std::vector<Answer> answers{};
  };
  enum class Placed : std::uint8_t { kYes, kFrameFull, kStalled };

  void take();
  bool reap();
  void handle(InFlight& frame, std::int64_t result);
  void deliver_durable();
  void fail_in_flight();
  void lay_out();
  bool may_submit() const;
  bool is_held_back() const;
  void fill_frame();
  void expire();
  void drop_late();
  bool drop_if_late(RequestPtr& request);
  bool take_up(RequestPtr& request, Request::Phase as = Request::Phase::kTaken);
  Placed place(RequestPtr& request);
  bool make_room(std::size_t bytes, std::size_t events);
  void bring_up_to_date(std::span<Prepared::Stream> streams) const;  // their heads
  void accept(RequestPtr request, std::size_t content_bytes);
  void end_frame();
  void submit(const FrameWrite& write, std::vector<Answer> answers);
  void give(Answer answer, Position rests_on, bool rests_on_tracking);
  void tell(Answer answer);
  void tell_all(std::vector<Answer> answers);
  void tell_failed(Answer answer);
  void tell_late(Answer answer);
  void hold(RequestPtr request, Position compare);
  void answer(RequestPtr request, Result<Appended> result);
  void answer(RequestPtr request);
  void settle(const Request& request);
  void finish_answers();
  void refuse_while_read_only(RequestPtr request);
  void refuse_pending();

  Io& io_;
  Log& log_;
  TailIndex& tail_;
  IdWindow& window_;
  Inbox& inbox_;
  Ring& ring_;
  const std::size_t tail_bytes_max_;
  const std::size_t unindexed_bytes_max_;
  const std::size_t pipeline_bytes_;
  const bool background_inline_;
  const Tells tells_;

  std::deque<RequestPtr> pending_;
  std::size_t pending_bytes_ = 0;
  // Sessions with a request that is being prepared again, and what came behind it.
  std::unordered_map<std::uint64_t, std::deque<RequestPtr>> held_;
  std::deque<InFlight> in_flight_;  // by frame number
  bool frame_open_ = false;
  std::size_t frame_bytes_ = 0;
  std::vector<Answer> frame_answers_;
  std::atomic<bool> stalled_{false};
  std::atomic<bool> needs_ticks_{false};
  std::chrono::steady_clock::time_point progress_at_{};  // of what is in flight
  std::chrono::steady_clock::time_point expire_at_{};
  bool disk_full_ = false;  // as of the last attempt to make room
  bool shut_ = false;
  Settled settled_{};                                  // not yet told
  std::vector<RequestPtr> taken_again_, taken_fresh_;  // kept for their capacity

  std::atomic<bool> read_only_{false};
  mutable std::mutex state_mutex_;
  std::string read_only_why_;  // guarded by state_mutex_
};

}  // namespace esdb::storage
