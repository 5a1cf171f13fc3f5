#include "storage/judge.h"

#include <algorithm>
#include <vector>

#include "esdb/implement.h"
#include "protocol/encoded_event.h"
#include "protocol/refusal.h"
#include "storage/check.h"
#include "storage/lookup.h"
#include "storage/query_walk.h"

namespace esdb::storage {
namespace {

struct Findings {
  std::vector<Violation> violations{};
  Position rests_on{};
  bool rests_on_tracking = false;
  bool above_window = false;  // an event that violates may be this request's own, out of sight
};

bool violated(const Expect& expect, Version actual) {
  switch (expect.kind()) {
    case Expect::Kind::kAny:
      return false;
    case Expect::Kind::kNone:
      return actual != Version{0};
    case Expect::Kind::kExists:
      return actual == Version{0};
    case Expect::Kind::kExactly:
      return actual != expect.version();
  }
  return true;
}

void judge_tracking(const Request& request, const TailIndex& tail, Findings& findings) {
  const auto& parts = *request.parts;
  for (std::size_t i = 0; i < parts.tracking.size(); ++i) {
    const auto& asked = parts.tracking[i];
    const auto newer = tail.tracked(asked.source);
    const std::uint64_t stored = newer.value_or(request.prepared.tracked[i]);
    if (protocol::tracking_holds(asked, stored)) continue;
    findings.violations.push_back(protocol::tracking_violation(asked, stored));
    findings.rests_on_tracking = findings.rests_on_tracking || newer.has_value();
  }
}

void judge_stream_check(std::size_t index, const Request& request, const TailIndex& tail,
                        Findings& findings) {
  const auto& check = request.parts->checks[index];
  const auto& stream = request.prepared.streams[request.prepared.checks[index].stream];
  const auto head = head_of(stream, tail);
  if (!violated(check.expect, head.version)) return;
  findings.violations.push_back(protocol::stream_violation(index, check, head.version));
  findings.rests_on = std::max(findings.rests_on, head.last);
  // The prepared head did not violate it, so the event that does came later.
  if (head.version != stream.head.version && stream.head.version <= check.expect.version())
    findings.above_window = true;
}

// The first match above what was prepared, in memory; 0: none. Nothing: what may be one lies in a
// sealed file. The writer's view is of memory alone, where no look-up fails.
std::optional<Position> first_above(const Query& query, Position after, const Log& log,
                                    const TailIndex& tail) {
  const auto none = [&](const TermRef& term) { return !tail.last_above(term, after); };
  if (after >= log.written() || finds_none(query, none)) return Position{};
  Lookup view = Lookup::writers_view(log, tail);
  auto walk = QueryWalk::over(query, view);
  ESDB_CHECK(walk.has_value());
  for (Position from = after.value + 1; from <= log.written();) {
    const auto found = walk->seek(from);
    ESDB_CHECK(found.has_value());
    if (!*found) break;
    const auto record = log.in_memory(*found);
    if (!record) return {};
    // The walk meets the system's events, too, which only a query that names them finds.
    const RecordedEvent::Stored stored{.position = *found, .encoded = record->payload};
    if (query.matches(RecordedEvent(&stored))) return *found;
    from = found->value + 1;
  }
  return Position{};
}

// False: prepare again.
bool judge_query_check(std::size_t index, const Request& request, const Log& log,
                       const TailIndex& tail, Findings& findings) {
  const auto& check = request.parts->checks[index];
  Position conflicting = request.prepared.checks[index].conflicting;
  if (!conflicting) {
    const auto found =
        first_above(check.query, std::max(check.after, request.prepared.position), log, tail);
    if (!found) return false;
    conflicting = *found;
    if (conflicting) findings.above_window = true;
  }
  if (!conflicting) return true;
  findings.violations.push_back(protocol::query_violation(index, check, conflicting));
  findings.rests_on = std::max(findings.rests_on, conflicting);
  return true;
}

bool judge_checks(const Request& request, const Log& log, const TailIndex& tail,
                  Findings& findings) {
  const auto& checks = request.parts->checks;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    if (checks[i].kind == Check::Kind::kStream) {
      judge_stream_check(i, request, tail, findings);
      continue;
    }
    if (!judge_query_check(i, request, log, tail, findings)) return false;
  }
  return true;
}

Verdict refuse(Error error, const Findings& findings) {
  return {.kind = Verdict::Kind::kRefuse,
          .error = std::move(error),
          .rests_on = findings.rests_on,
          .rests_on_tracking = findings.rests_on_tracking};
}

}  // namespace

StreamHead head_of(const Prepared::Stream& stream, const TailIndex& tail) {
  return tail.stream_head(stream.name).value_or(stream.head);
}

Verdict judge_ids(const Parts& parts, const IdWindow& window) {
  std::optional<Position> found;
  std::size_t which = 0;
  for (; which < parts.events.size() && !found; ++which)
    found = window.find(parts.events[which].id);
  if (!found) return {};
  --which;
  const auto conflict = [&] {
    return Verdict{.kind = Verdict::Kind::kRefuse,
                   .error = protocol::id_conflict(parts.events[which].id, *found),
                   .rests_on = *found};
  };
  if (found->value <= which) return conflict();
  const Position first = found->value - which;
  const Position shows = first == Position{1} ? first : Position{first.value - 1};
  if (!window.holds(shows)) return {.kind = Verdict::Kind::kPrepareAgain, .compare = *found};
  if (which != 0 || !window.begins_commit(*found)) return conflict();
  for (std::size_t i = 0; i < parts.events.size(); ++i) {
    const Position at = found->value + i;
    const auto& event = parts.events[i];
    const bool last = i + 1 == parts.events.size();
    if (!window.holds(at) || window.at(at) != IdWindow::entry(event.id, event.fingerprint, last))
      return conflict();
  }
  const Position last = found->value + parts.events.size() - 1;
  return {.kind = Verdict::Kind::kRepeat, .commit = {*found, last}, .rests_on = last};
}

Verdict judge(const Request& request, const Log& log, const TailIndex& tail,
              const IdWindow& window) {
  const auto& prepared = request.prepared;
  if (prepared.frame < tail.first_frame()) return {.kind = Verdict::Kind::kPrepareAgain};
  // What was compared in the log comes before the window, which may have lost a part of the commit.
  if (prepared.retry_of)
    return {.kind = Verdict::Kind::kRepeat,
            .commit = *prepared.retry_of,
            .rests_on = prepared.retry_of->last};
  // Also where the window has let go of the id meanwhile.
  const auto& conflict = prepared.id_conflict;
  if (prepared.compared) {
    ESDB_CHECK(conflict.has_value());  // else it would be a retry
    return {.kind = Verdict::Kind::kRefuse,
            .error = protocol::id_conflict(conflict->id, conflict->position)};
  }
  if (auto retry = judge_ids(*request.parts, window); retry.kind != Verdict::Kind::kAccept)
    return retry;
  if (prepared.other_store)
    return {.kind = Verdict::Kind::kRefuse,
            .error = conflict ? protocol::id_conflict(conflict->id, conflict->position)
                              : *prepared.other_store};
  Findings findings;
  if (!judge_checks(request, log, tail, findings)) return {.kind = Verdict::Kind::kPrepareAgain};
  judge_tracking(request, tail, findings);
  if (findings.violations.empty()) return {};
  if (conflict) return refuse(protocol::id_conflict(conflict->id, conflict->position), findings);
  // Everything above what was prepared is in the window, where none of the ids was found; where it
  // is not, the commit that violates the check has to be compared first.
  const bool in_sight =
      log.written() == prepared.position || window.holds(Position{prepared.position.value + 1});
  if (findings.above_window && !in_sight) return {.kind = Verdict::Kind::kPrepareAgain};
  return refuse(protocol::not_appended(std::move(findings.violations), request.parts->checks),
                findings);
}

}  // namespace esdb::storage
