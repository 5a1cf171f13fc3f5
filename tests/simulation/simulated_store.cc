#include "tests/simulation/simulated_store.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "protocol/encoded_event.h"
#include "storage/lookup.h"
#include "storage/recovery.h"
#include "storage/replay.h"

namespace esdb::simulation {
namespace {

using storage::Request;
using storage::RequestPtr;

constexpr std::string_view kSource = "importer";
constexpr std::string_view kType = "Happened";
constexpr std::size_t kStreams = 3, kTags = 5;
constexpr std::uint64_t kReplayEventsMax = 12;  // what is further behind is written to the index

EventId id_of(std::uint64_t number) {
  EventId id;
  number = number * 2 + 1;  // never all zeros
  std::memcpy(id.bytes.data() + 8, &number, sizeof number);
  return id;
}

EncodedAppend encoded(const Asked& asked) {
  AppendRequest request;
  for (const auto& event : asked.events)
    request.events.push_back({.stream = event.stream,
                              .type = std::string(kType),
                              .data = event.data,
                              .tags = {event.tag},
                              .id = event.id});
  if (asked.tracked != 0)
    request.tracking.push_back({.source = std::string(kSource), .position = asked.tracked});
  return EncodedAppend::encode(request).value();
}

}  // namespace

// ---- the ledger

Asked& Ledger::ask(std::size_t events, std::size_t bytes) {
  Asked asked;
  for (std::size_t i = 0; i < events; ++i) {
    const auto number = ++numbers_;
    std::string data(bytes, static_cast<char>('a' + number % 26));
    asked.events.push_back({.id = id_of(number),
                            .stream = "stream-" + std::to_string(number % kStreams),
                            .tag = "tag:" + std::to_string(number % kTags),
                            .data = std::move(data)});
  }
  if (numbers_ % 2 == 0) asked.tracked = numbers_;
  asked_.push_back(std::move(asked));
  return asked_.back();
}

Position Ledger::acknowledged() const {
  std::uint64_t last = 0, acknowledged = 0;
  for (const auto& asked : asked_) {
    last += asked.events.size();
    if (asked.acknowledged) acknowledged = last;
  }
  return acknowledged;
}

std::string Ledger::cut(Position durable) {
  if (durable < acknowledged())
    return "acknowledged up to " + to_string(acknowledged()) + ", there up to " +
           to_string(durable);
  std::uint64_t last = 0;
  std::size_t kept = 0;
  while (kept < asked_.size() && last < durable.value) last += asked_[kept++].events.size();
  if (last != durable.value) return "half an append is there, up to " + to_string(durable);
  asked_.resize(kept);
  for (auto& asked : asked_) asked.acknowledged = true;  // it was shown now
  return "";
}

// ---- the store

SimulatedStore::~SimulatedStore() { drop(); }

std::string SimulatedStore::open() {
  drop();
  storage::LogOptions options{.directory = "store",
                              .write_unit = options_.write_unit,
                              .segment_bytes = options_.segment_bytes,
                              .memory = kMemoryMin,
                              .append_bytes_max = options_.segment_bytes / 4};
  const bool indexes = !options_.directory.empty();
  if (indexes)
    options.indexed_frame = [this](const storage::LogOptions::Known& known) {
      return storage::Index::claimed_frame({.directory = options_.directory + "/index",
                                            .store_id = known.store_id,
                                            .seed = known.seed},
                                           known.last_epoch_id, Access::kReadWrite);
    };
  auto log = storage::open_log(io_, options);
  if (!log) return log.error().message;
  log_ = std::move(*log);
  if (indexes)
    if (auto why = open_index(); !why.empty()) return why;
  tail_ = std::make_unique<storage::TailIndex>(
      index_ ? index_->tail_begins() : storage::FrameMark{},
      storage::TailOptions{.keeps_everything = !indexes,
                           .first_end = index_ ? index_->first_end() : 0});
  if (auto ok = storage::replay_tail(*log_, *tail_); !ok) return ok.error().message;
  if (index_) {
    indexer_ = std::make_unique<storage::Indexer>(*index_, *tail_, *log_);
    if (auto why = rebuild(); !why.empty()) return why;
  }
  window_ = std::make_unique<storage::IdWindow>(options_.window);
  auto ids = log_->recent_ids(options_.window);
  if (!ids) return ids.error().message;
  for (const auto& id : *ids)
    window_->add(id.position, storage::IdWindow::entry(id.id, id.fingerprint, id.ends_commit));
  inbox_ = std::make_unique<storage::Inbox>(
      storage::Inbox::Bounds{.count = 1'000, .bytes = std::size_t{64} << 20});
  ring_ = std::move(*io_.make_ring(16, -1));
  writer_ = std::make_unique<storage::Writer>(
      storage::Writer::Parts{.io = io_,
                             .log = *log_,
                             .tail = *tail_,
                             .window = *window_,
                             .inbox = *inbox_,
                             .ring = *ring_,
                             .pipeline_bytes = options_.pipeline_bytes},
      tells());
  return "";
}

std::string SimulatedStore::open_index() {
  auto index = storage::Index::open({.directory = options_.directory + "/index",
                                     .store_id = log_->store_id(),
                                     .seed = log_->seed(),
                                     .dirty_bytes = options_.index_dirty_bytes,
                                     .replay_events_max = kReplayEventsMax},
                                    *log_);
  if (!index) return index.error().message;
  index_ = std::move(*index);
  return "";
}

std::string SimulatedStore::rebuild() {
  while (index_->needs_rebuild()) {
    const auto step = index_->rebuild_step(*log_);
    if (!step) return step.error().message;
  }
  return "";
}

std::string SimulatedStore::index() {
  if (!index_) return "";
  tail_->freeze();
  for (;;) {
    auto did = indexer_->step();
    if (!did) return did.error().message;
    if (!*did) return "";
  }
}

storage::Writer::Tells SimulatedStore::tells() {
  return {.answer = [](RequestPtr made) { made->done(std::move(made->answer)); },
          .answered = [this](storage::Writer::Settled s) { inbox_->settled(s.bytes, s.count); },
          .prepare_again =
              [this](RequestPtr made) {
                if (auto ok = prepare(*made, sources()); !ok) made->failed = ok.error();
                inbox_->put_again(std::move(made));
              },
          .answer_from_log =
              [this](RequestPtr made, storage::CommitSpan commit) {
                made->done(storage::repeated(commit, *log_));
              },
          .durable_moved = [] {},
          .background_due = [] {},
          .log = [](std::string_view) {}};
}

void SimulatedStore::put(Asked& asked) {
  const auto append = encoded(asked);
  auto request = std::make_unique<Request>();
  request->bytes = append.bytes().size();
  request->parts = append.parts;
  request->deadline = std::chrono::steady_clock::time_point::max();
  ++open_answers_;
  request->done = [this, &asked](Result<Appended> result) {
    --open_answers_;
    if (result)
      asked.acknowledged = true;
    else if (failed_.empty())
      failed_ = result.error().message;
  };
  if (auto ok = prepare(*request, sources()); !ok) {
    failed_ = ok.error().message;
    return;
  }
  inbox_->put(request);
}

void SimulatedStore::advance() { writer_->advance(); }

bool SimulatedStore::finish_one() {
  if (!ring_->wait()) return false;
  writer_->advance();
  return true;
}

std::string SimulatedStore::settle() {
  writer_->advance();
  while (open_answers_ > 0 && failed_.empty()) {
    if (finish_one()) continue;
    if (!writer_->is_stalled()) return "appends wait, and nothing is under way";
    if (auto why = background(); !why.empty()) return why;
    writer_->advance();
  }
  return failed_;
}

std::string SimulatedStore::background() {
  auto did = log_->background_step(io_.steady() + std::chrono::hours(1));
  return did ? "" : did.error().message;
}

std::string SimulatedStore::close() {
  if (auto why = settle(); !why.empty()) return why;
  writer_->shut();
  const auto closed = log_->close();
  drop();
  return closed ? "" : closed.error().message;
}

// A writer with writes under way cannot go; a killed process does not ask.
void SimulatedStore::drop() {
  if (writer_ && !writer_->is_idle()) {
    writer_->fail("the process was killed");
    while (!writer_->is_idle() && finish_one()) {
    }
  }
  writer_.reset();
  ring_.reset();
  inbox_.reset();
  window_.reset();
  indexer_.reset();
  tail_.reset();
  index_.reset();
  log_.reset();
  failed_.clear();
  open_answers_ = 0;
}

std::string SimulatedStore::compare(const Ledger& ledger) const {
  std::vector<const Asked::Event*> known;
  std::vector<std::size_t> ends;
  std::uint64_t tracked = 0;
  for (const auto& asked : ledger.asked()) {
    for (const auto& event : asked.events) known.push_back(&event);
    ends.push_back(known.size());
    tracked = std::max(tracked, asked.tracked);
  }
  if (auto why = compare_events(known, ends); !why.empty()) return why;
  return compare_terms(known, tracked);
}

std::string SimulatedStore::compare_terms(const std::vector<const Asked::Event*>& known,
                                          std::uint64_t tracked) const {
  using storage::TermClass;
  std::map<std::pair<TermClass, std::string>, std::vector<std::uint64_t>> terms;
  for (std::size_t i = 0; i < known.size(); ++i) {
    terms[{TermClass::kStream, known[i]->stream}].push_back(i + 1);
    terms[{TermClass::kTag, known[i]->tag}].push_back(i + 1);
    terms[{TermClass::kType, std::string(kType)}].push_back(i + 1);
  }
  auto lookup = storage::Lookup::begin(*log_, *tail_, index_.get());
  if (!lookup) return lookup.error().message;
  for (const auto& [name, positions] : terms) {
    auto found = lookup->postings(storage::term(name.first, name.second));
    if (!found) return found.error().message;
    if (found->count() != positions.size())
      return name.second + " is said to be on " + std::to_string(found->count()) +
             " events, not on " + std::to_string(positions.size());
    Position at = 0;
    for (const auto expected : positions) {
      auto next = found->seek(at.value + 1);
      if (!next) return next.error().message;
      if (next->value != expected) return name.second + " is not found at its positions";
      at = *next;
    }
  }
  const auto streams = lookup->stream_count();
  const auto is_stream = [](const auto& named) { return named.first.first == TermClass::kStream; };
  if (!streams || *streams != static_cast<std::uint64_t>(std::ranges::count_if(terms, is_stream)))
    return "streams are miscounted";
  const auto position = lookup->tracked(kSource);
  if (!position || *position != tracked) return "the tracking position is wrong";
  return "";
}

std::string SimulatedStore::compare_events(const std::vector<const Asked::Event*>& known,
                                           const std::vector<std::size_t>& ends) const {
  if (log_->durable().value != known.size())
    return "durable is " + to_string(log_->durable()) + ", not " + std::to_string(known.size());
  std::map<std::string, std::uint64_t> versions;
  Position after = 0;
  while (after < log_->durable()) {
    BatchMemory batch;
    auto last = log_->read_forwards(after, log_->durable(), {.bytes = 1 << 20}, batch);
    if (!last) return last.error().message;
    for (const auto& stored : batch.stored) {
      const auto& event = *known[after.value];
      after = after.value + 1;
      const bool ends_append = std::ranges::binary_search(ends, after.value);
      if (stored.position != after || stored.id != event.id || stored.ends_append != ends_append ||
          stored.version.value != ++versions[event.stream] ||
          protocol::stream_of(stored.encoded) != event.stream ||
          protocol::data_of(stored.encoded) != event.data)
        return "another event than was asked for at position " + to_string(after);
    }
    if (after != *last) return "the last position given is not " + to_string(*last);
  }
  return "";
}

}  // namespace esdb::simulation
