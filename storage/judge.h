// Judging: whether an append holds against the log as it is now, in memory alone.
//
// What was prepared is true up to a frame; the generations tell what came after, laid-out commits
// included. The order: retry, then all tracking and all checks, every violation told.
//
// Threads: the writer's driver.
#pragma once

#include <cstdint>

#include "esdb/error.h"
#include "storage/id_window.h"
#include "storage/request.h"

namespace esdb::storage {

struct Verdict {
  enum class Kind : std::uint8_t {
    kAccept,
    kRefuse,        // with `error`, told once everything up to `rests_on` is durable
    kRepeat,        // `commit` is this append: its first answer is given, once durable
    kPrepareAgain,  // what was prepared is too old to be judged upon
  };
  Kind kind{};
  Error error{};
  CommitSpan commit{};
  // kPrepareAgain: one of the request's ids lies there, in a commit that the window no longer shows
  // whole; whether it is this append, the log has to tell. 0: nothing to compare.
  Position compare{};
  Position rests_on{};
  bool rests_on_tracking = false;  // on a commit that may have taken no position
};

Verdict judge(const Request& request, const Log& log, const TailIndex& tail,
              const IdWindow& window);

// The retry rule alone, through the window of ids: kRepeat, kRefuse (an id conflict), kPrepareAgain
// with what is to be compared, or kAccept where none of the ids is in it.
Verdict judge_ids(const Parts& parts, const IdWindow& window);

// A stream's head as the writer sees it: newest generation that names it, else what was prepared.
StreamHead head_of(const Prepared::Stream& stream, const TailIndex& tail);

}  // namespace esdb::storage
