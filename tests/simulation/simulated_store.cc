#include "tests/simulation/simulated_store.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "protocol/encoded_event.h"
#include "storage/prepare.h"
#include "storage/recovery.h"
#include "storage/replay.h"

namespace esdb::simulation {
namespace {

using storage::Request;
using storage::RequestPtr;

constexpr std::string_view kSource = "importer";
constexpr std::size_t kStreams = 3;

EventId id_of(std::uint64_t number) {
  EventId id;
  number = number * 2 + 1;  // never all zeros
  std::memcpy(id.bytes.data() + 8, &number, sizeof number);
  return id;
}

EncodedAppend encoded(const Asked& asked) {
  AppendRequest request;
  for (const auto& event : asked.events)
    request.events.push_back(
        {.stream = event.stream, .type = "Happened", .data = event.data, .id = event.id});
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
  auto log = storage::open_log(io_, {.directory = "store",
                                     .write_unit = options_.write_unit,
                                     .segment_bytes = options_.segment_bytes,
                                     .memory = kMemoryMin,
                                     .append_bytes_max = options_.segment_bytes / 4});
  if (!log) return log.error().message;
  log_ = std::move(*log);
  tail_ = std::make_unique<storage::TailIndex>(storage::FrameMark{},
                                               storage::TailOptions{.keeps_everything = true});
  if (auto ok = storage::replay_tail(*log_, *tail_); !ok) return ok.error().message;
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

storage::Writer::Tells SimulatedStore::tells() {
  return {.answer = [](RequestPtr made) { made->done(std::move(made->answer)); },
          .answered = [this](storage::Writer::Settled s) { inbox_->settled(s.bytes, s.count); },
          .prepare_again =
              [this](RequestPtr made) {
                if (auto ok = prepare(*made, {*log_, *tail_, nullptr}); !ok)
                  made->failed = ok.error();
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
  if (auto ok = prepare(*request, {*log_, *tail_, nullptr}); !ok) {
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
  tail_.reset();
  log_.reset();
  failed_.clear();
  open_answers_ = 0;
}

std::string SimulatedStore::compare(const Ledger& ledger) const {
  std::vector<const Asked::Event*> known;
  std::vector<std::size_t> ends;
  std::map<std::string, std::uint64_t> versions;
  std::uint64_t tracked = 0;
  for (const auto& asked : ledger.asked()) {
    for (const auto& event : asked.events) {
      known.push_back(&event);
      ++versions[event.stream];
    }
    ends.push_back(known.size());
    tracked = std::max(tracked, asked.tracked);
  }
  if (auto why = compare_events(known, ends); !why.empty()) return why;
  for (const auto& [stream, version] : versions) {
    const auto head = tail_->stream_head(storage::term(storage::TermClass::kStream, stream));
    if (!head || head->version.value != version) return "the head of " + stream + " is wrong";
  }
  if (tail_->tracked(kSource).value_or(0) != tracked) return "the tracking position is wrong";
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
