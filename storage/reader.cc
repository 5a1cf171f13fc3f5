#include "storage/reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "protocol/encoded_event.h"
#include "protocol/refusal.h"
#include "storage/check.h"
#include "storage/hex.h"
#include "storage/query_walk.h"
#include "storage/sabotage.h"

namespace esdb::storage {
namespace {

constexpr std::uint64_t kScanWindow = 256;  // events: no postings are worth opening below it
constexpr std::uint64_t kHitCost = 8;       // a hit read by itself costs as much as so many scanned
constexpr std::size_t kScanChunkBytes = std::size_t{256} << 10;
constexpr std::size_t kScanBytesMax = std::size_t{16} << 20;  // of one read()
constexpr std::size_t kCandidatesMax = 10'000;                // of one read()
constexpr std::size_t kCandidatesAtOnce = 256;

// Copies these events into one block of `to`.
void copy_into(BatchMemory& to, const std::vector<const RecordedEvent::Stored*>& events) {
  std::size_t words = 0;
  for (const auto* event : events) words += event->encoded.size() / 8;
  auto block = std::make_unique_for_overwrite<std::uint64_t[]>(words);
  auto* at = reinterpret_cast<std::byte*>(block.get());
  for (const auto* event : events) {
    std::memcpy(at, event->encoded.data(), event->encoded.size());
    to.stored.push_back(*event);
    to.stored.back().encoded = {at, event->encoded.size()};
    at += event->encoded.size();
  }
  to.bytes.push_back(std::move(block));
}

// The frame that holds a position, to be told beside events that are sound: nothing where its
// header is damaged.
Result<std::optional<FrameMark>> frame_told(Position position, const Log& log) {
  auto frame = log.frame_of(position);
  if (frame) return *frame;
  if (frame.error().code != ErrorCode::kCorrupt) return std::unexpected(frame.error());
  return std::nullopt;
}

}  // namespace

// One batch while it is made.
struct Reader::Making {
  std::shared_ptr<BatchMemory> memory = std::make_shared<BatchMemory>();
  std::size_t bytes_left{};
  std::uint64_t left{};   // events, of the read's limit
  Position end{};         // the bound in the direction of reading
  Position considered{};  // so far
  std::optional<Version> version{};

  std::size_t taken = 0;
  bool refused = false;  // an event found no room: the next batch begins with it

  bool is_full() const { return refused || bytes_left == 0; }
  // Takes an event that matches; false: the batch is full. The first one goes in whatever its size.
  bool take(const RecordedEvent::Stored& event) {
    const auto size = event.encoded.size();
    refused = refused || (taken > 0 && size > bytes_left);
    if (refused) return false;
    bytes_left -= std::min(bytes_left, size);
    ++taken;
    --left;
    return true;
  }
};

Reader::Reader(Kind kind, Query query, ReadOptions options)
    : kind_(kind),
      query_(std::move(query)),
      is_everything_(is_everything(query_)),
      one_stream_(protocol::one_stream_of(query_)),
      options_(std::move(options)),
      left_(options_.limit) {}

Position Reader::end(const Log& log) const {
  return kind_ == Kind::kSubscription ? log.durable() : upper_;
}

bool Reader::at_end(const Sources& sources) const {
  return finished_ || (begun_ && !is_backwards() && seen_ >= end(sources.log));
}

// ---- beginning

Result<void> Reader::begin(const Sources& sources) {
  if (auto ok = protocol::check_read(query_, options_); !ok) return ok;
  upper_ = sources.log.durable();
  lower_ = 0;
  if (options_.up_to) {
    if (*options_.up_to > upper_)
      return std::unexpected(protocol::beyond_the_log("up_to", *options_.up_to, upper_));
    upper_ = *options_.up_to;
  }
  if (options_.until) {
    auto first = sources.log.first_at_or_after(*options_.until);
    if (!first) return std::unexpected(first.error());
    upper_ = std::min(upper_, Position{first->value - 1});
  }
  if (auto ok = begin_at(options_.start, sources); !ok) return ok;
  if (options_.since) {
    auto first = sources.log.first_at_or_after(*options_.since);
    if (!first) return std::unexpected(first.error());
    lower_ = first->value - 1;
  }
  start_ = seen_;
  if (is_backwards()) {
    seen_ = seen_ ? std::min(seen_, Position{upper_.value + 1}) : Position{upper_.value + 1};
    top_ = seen_.value - 1;
  } else if (seen_ < upper_ && left_ > 0) {
    seen_ = std::max(seen_, std::min(lower_, upper_));
  }
  begun_ = true;
  return {};
}

Result<void> Reader::begin_at(const Start& start, const Sources& sources) {
  const auto durable = sources.log.durable();
  switch (start.kind) {
    case Start::Kind::kBeginning:
      seen_ = 0;
      return {};
    case Start::Kind::kEnd:
      seen_ = durable;
      return {};
    case Start::Kind::kPosition:
      seen_ = start.number;
      if (seen_ > durable)
        return std::unexpected(protocol::beyond_the_log("start", seen_, durable));
      return {};
    case Start::Kind::kCheckpoint:
      return begin_at_checkpoint(start.checkpoint, sources);
    case Start::Kind::kVersion:
      return begin_at_version(start.number, sources);
    case Start::Kind::kTime:
      seen_ = 0;
      if (kind_ == Kind::kSubscription) {
        is_before_its_time_ = true;
        return pass_time(sources);
      }
      options_.since = std::max(options_.since.value_or(Time::min()), start.time);
      return {};
  }
  return {};
}

// A subscription that begins at a time does not give what is committed before it, in the future
// too.
Result<void> Reader::pass_time(const Sources& sources) {
  if (!is_before_its_time_) return {};
  const auto durable = sources.log.durable();
  auto first = sources.log.first_at_or_after(options_.start.time);
  if (!first) return std::unexpected(first.error());
  seen_ = std::max(seen_, Position{first->value - 1});
  is_before_its_time_ = *first > durable;
  return {};
}

Result<void> Reader::begin_at_checkpoint(const Checkpoint& at, const Sources& sources) {
  const auto& log = sources.log;
  seen_ = at.position;
  if (!seen_) return {};
  const auto store_id = to_text(log.store_id());
  if (at.store_id != store_id) return std::unexpected(protocol::of_another_store(at, store_id));
  if (seen_ > log.durable())
    return std::unexpected(protocol::beyond_the_log("start", seen_, log.durable()));
  if (at.epoch_id.empty()) return {};
  auto frame = log.frame_of(seen_);
  if (!frame) return std::unexpected(frame.error());
  if (const auto epoch = to_text(frame->epoch_id); epoch != at.epoch_id)
    return std::unexpected(protocol::of_another_epoch(at, epoch));
  return {};
}

Result<void> Reader::begin_at_version(Version seen, const Sources& sources) {
  seen_ = 0;
  if (!seen) return {};
  auto lookup = Lookup::begin(sources.log, sources.tail, sources.index);
  if (!lookup) return std::unexpected(lookup.error());
  auto postings = lookup->postings(term(TermClass::kStream, one_stream_));
  if (!postings) return std::unexpected(postings.error());
  if (seen.value > postings->count())
    return std::unexpected(
        protocol::beyond_the_stream(one_stream_, seen, Version{postings->count()}));
  auto position = postings->nth(seen.value);
  if (!position) return std::unexpected(position.error());
  seen_ = *position;
  return {};
}

// ---- making a batch

Result<Batch> Reader::read(const Sources& sources, std::size_t max_bytes) {
  if (!begun_)
    if (auto ok = begin(sources); !ok) return std::unexpected(ok.error());
  if (auto ok = pass_time(sources); !ok) return std::unexpected(ok.error());
  Making making{.bytes_left = std::max<std::size_t>(max_bytes, 1), .left = left_};
  making.end = is_backwards() ? lower_ : end(sources.log);
  making.considered = seen_;
  // What lies before the place of an error is given first; the next call meets the error again.
  if (auto ok = make(sources, making); !ok && making.memory->stored.empty())
    return std::unexpected(ok.error());
  return finish(sources, std::move(making));
}

Result<void> Reader::make(const Sources& sources, Making& making) {
  const std::uint64_t up = is_backwards() ? seen_.value - 1 : making.end.value;
  const std::uint64_t down = is_backwards() ? making.end.value : seen_.value;
  const std::uint64_t window = up > down && !finished_ && making.left > 0 ? up - down : 0;
  if (window > 0 && (is_everything_ || (one_stream_.empty() && window <= kScanWindow)))
    return scan(sources, making);
  if (window == 0 && one_stream_.empty()) return {};
  auto lookup = Lookup::begin(sources.log, sources.tail, sources.index);
  if (!lookup) return std::unexpected(lookup.error());
  if (!one_stream_.empty()) {
    auto version = version_at(is_backwards() ? upper_ : making.end, *lookup, sources.log);
    if (!version) return std::unexpected(version.error());
    making.version = *version;
  }
  if (window == 0) return {};
  if (window <= kScanWindow) return scan(sources, making);
  auto walk = QueryWalk::over(query_, *lookup);
  if (!walk) return std::unexpected(walk.error());
  const auto hits = std::min(walk->at_most(), window);
  if (walk->is_everything() || hits >= window / kHitCost) return scan(sources, making);
  return follow(sources, *lookup, *walk, making);
}

// The version that the stream has at `end`, which may lie below the lookup's moment: what a
// decision read and what its check expects must be one state.
Result<Version> Reader::version_at(Position end, Lookup& lookup, const Log& log) const {
  const auto name = term(TermClass::kStream, one_stream_);
  auto head = lookup.head(name);
  if (!head) return std::unexpected(head.error());
  if (head->last <= end) return Version{head->count};
  auto postings = lookup.postings(name);
  if (!postings) return std::unexpected(postings.error());
  auto last = postings->seek_back(end);
  if (!last) return std::unexpected(last.error());
  if (!*last) return Version{0};
  BatchMemory memory;
  const Position at[] = {*last};
  if (auto read = log.read_each(at, {.bytes = 1}, memory); !read)
    return std::unexpected(read.error());
  return memory.stored.front().version;
}

// Along the log.
Result<void> Reader::scan(const Sources& sources, Making& making) {
  std::size_t scanned = 0;
  while (!making.is_full() && making.left > 0 && scanned < kScanBytesMax) {
    auto chunk = std::make_unique<BatchMemory>();
    const ReadBudget budget{
        .bytes = is_everything_ ? making.bytes_left : std::min(kScanChunkBytes, kScanBytesMax),
        .events = is_everything_ ? making.left : ~std::uint64_t{0}};
    Result<Position> reached = Position{};
    if (is_backwards()) {
      if (making.considered.value <= making.end.value + 1) break;
      reached = sources.log.read_backwards(making.considered.value - 1, making.end.value + 1,
                                           budget, *chunk);
    } else {
      if (making.considered >= making.end) break;
      reached = sources.log.read_forwards(making.considered, making.end, budget, *chunk);
    }
    if (!reached) return std::unexpected(reached.error());
    ESDB_CHECK(!chunk->stored.empty());
    for (const auto& stored : chunk->stored) scanned += stored.encoded.size();
    making.considered = *reached;
    if (auto ok = take_scanned(making, std::move(chunk)); !ok) return ok;
  }
  return {};
}

// Keeps what matches of a chunk: all of its memory where that is most of it, else copies.
Result<void> Reader::take_scanned(Making& making, std::unique_ptr<BatchMemory> chunk) {
  std::vector<const RecordedEvent::Stored*> kept;
  kept.reserve(chunk->stored.size());
  for (const auto& stored : chunk->stored) {
    const bool matches = is_everything_ ? !is_system(protocol::stream_of(stored.encoded))
                                        : query_.matches(RecordedEvent(&stored));
    if (making.left == 0 || (matches && !making.take(stored))) {
      making.considered = is_backwards() ? stored.position.value + 1 : stored.position.value - 1;
      break;
    }
    if (matches) kept.push_back(&stored);
  }
  if (kept.empty()) return {};
  auto& memory = *making.memory;
  if (kept.size() == chunk->stored.size() && memory.stored.empty()) {
    memory = std::move(*chunk);
    return {};
  }
  if (kept.size() * 2 < chunk->stored.size()) {
    copy_into(memory, kept);
    return {};
  }
  for (const auto* event : kept) memory.stored.push_back(*event);
  for (auto& block : chunk->bytes) memory.bytes.push_back(std::move(block));
  return {};
}

// Along the postings.
Result<void> Reader::follow(const Sources& sources, Lookup& lookup, QueryWalk& walk,
                            Making& making) {
  const bool back = is_backwards();
  const Position bound = back ? making.end : std::min(making.end, lookup.position());
  Position from = back ? making.considered.value - 1 : making.considered.value + 1;
  std::vector<Position> candidates;
  for (std::size_t looked = 0; looked < kCandidatesMax && !making.is_full() && making.left > 0;) {
    candidates.clear();
    bool exhausted = false;
    const auto at_once = std::min<std::uint64_t>(kCandidatesAtOnce, making.left);
    while (candidates.size() < at_once) {
      auto found = from ? (back ? walk.seek_back(from) : walk.seek(from)) : Result<Position>{0};
      if (!found) return std::unexpected(found.error());
      if (!*found || (back ? *found <= bound : *found > bound)) {
        exhausted = true;
        break;
      }
      candidates.push_back(*found);
      from = back ? found->value - 1 : found->value + 1;
    }
    looked += candidates.size();
    if (!candidates.empty()) {
      BatchMemory chunk;
      auto read = sources.log.read_each(candidates, {.bytes = making.bytes_left}, chunk);
      if (!read) return std::unexpected(read.error());
      ESDB_CHECK(*read > 0);
      if (*read < candidates.size()) {
        exhausted = false;
        from = candidates[*read];
      }
      std::vector<const RecordedEvent::Stored*> kept;
      for (const auto& stored : chunk.stored) {
        const bool matches = query_.matches(RecordedEvent(&stored));
        if (matches && !making.take(stored)) break;
        making.considered = stored.position;
        if (matches) kept.push_back(&stored);
      }
      if (kept.size() == chunk.stored.size()) {
        for (const auto& stored : chunk.stored) making.memory->stored.push_back(stored);
        for (auto& block : chunk.bytes) making.memory->bytes.push_back(std::move(block));
      } else if (!kept.empty()) {
        copy_into(*making.memory, kept);
      }
    }
    if (exhausted && !making.refused) {
      making.considered = back ? Position{bound.value + 1} : bound;
      return {};
    }
  }
  return {};
}

Result<Batch> Reader::finish(const Sources& sources, Making making) {
  const auto& log = sources.log;
  Batch::Progress progress;
  const bool at_bound = is_backwards() ? making.considered.value <= making.end.value + 1
                                       : making.considered >= making.end;
  progress.finished = kind_ == Kind::kRead && (at_bound || making.left == 0);
  progress.head = log.durable();
  progress.version = making.version.value_or(Version{0});
  // Backwards, before anything was looked at: where it began.
  progress.considered.position =
      is_backwards() && making.considered > top_ ? start_ : making.considered;
  if (sabotaged(Sabotage::kCheckpointBeyondGiven) && !is_backwards())
    progress.considered.position = making.end;
  progress.considered.store_id = to_text(log.store_id());
  if (const auto at = progress.considered.position; at) {
    auto frame = frame_told(at, log);
    if (!frame) return std::unexpected(frame.error());
    if (*frame) {
      progress.considered.epoch_id = to_text((*frame)->epoch_id);
      progress.considered_time = (*frame)->committed;
    } else if (!making.memory->stored.empty()) {
      progress.considered_time = making.memory->stored.back().committed;
    }
  }
  if (progress.head) {
    auto frame = frame_told(progress.head, log);
    if (!frame) return std::unexpected(frame.error());
    progress.head_time = *frame ? (*frame)->committed : progress.considered_time;
  }
  // Nothing is served that is not durable.
  ESDB_CHECK(making.memory->stored.empty() ||
             std::max(making.memory->stored.front().position,
                      making.memory->stored.back().position) <= log.durable());
  // Only now: whatever failed above leaves the reader where it stood.
  seen_ = making.considered;
  left_ = making.left;
  finished_ = progress.finished;
  return Batch(BatchMemory::to_events(std::move(making.memory)), std::move(progress));
}

}  // namespace esdb::storage
