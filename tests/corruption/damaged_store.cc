#include "tests/corruption/damaged_store.h"

#include <algorithm>
#include <map>

#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "storage/recovery.h"
#include "storage/segment_file.h"
#include "storage/verify.h"

namespace esdb::corruption {
namespace {

storage::LogOptions options(Access access) {
  return {.directory = "store",
          .access = access,
          .segment_bytes = DamagedStore::kSegmentBytes,
          .memory = kMemoryMin,
          .append_bytes_max = DamagedStore::kSegmentBytes / 4};
}

}  // namespace

DamagedStore::DamagedStore(std::uint64_t seed)
    : machine_(std::make_unique<fixtures::SimulatedIo>(fixtures::SimulatedIo::Options{}, seed)) {
  simulation::SimulatedStore store(*machine_, {.segment_bytes = kSegmentBytes});
  ESDB_CHECK(store.open().empty());
  std::mt19937_64 random(seed);
  while (store.log().segments() <= kSealed) {
    store.put(ledger_.ask(1 + random() % 4, random() % 700));
    ESDB_CHECK(store.settle().empty());
    if (store.log().segments() > 1) continue;
    const auto bytes = segment(1);
    earlier_.emplace_back(bytes.begin(), bytes.end());
  }
  for (int i = 0; i < 20; ++i) ESDB_CHECK(store.background().empty());
  ESDB_CHECK(store.compare(ledger_).empty());
  ESDB_CHECK(store.close().empty());
  std::map<std::string, std::uint64_t> versions;
  for (const auto& asked : ledger_.asked())
    for (const auto& event : asked.events) {
      events_.push_back(event);
      versions_.push_back(++versions[event.stream]);
    }
  for (std::uint32_t number = 1; number <= kSealed; ++number) {
    const auto bytes = segment(number);
    whole_.emplace_back(bytes.begin(), bytes.end());
  }
}

std::string DamagedStore::path(std::uint32_t number) {
  return "store/log/" + storage::segment_name(number);
}

void DamagedStore::restore(std::uint32_t number) {
  const auto& whole = whole_.at(number - 1);
  resize(number, whole.size());
  std::ranges::copy(whole, segment(number).begin());
}

std::string DamagedStore::look(std::uint32_t number, Seen& seen) {
  if (auto why = verify(number, seen); !why.empty()) return "verify: " + why;
  auto log = storage::open_log(*machine_, options(Access::kReadOnly));
  if (!log) {
    seen.refused = true;
    return refused(log.error(), number);
  }
  if (auto why = read_all(**log, number, seen); !why.empty()) return why;
  return read_ids(**log);
}

std::string DamagedStore::look_at_mended(std::uint32_t number) {
  auto copy =
      machine_->after_power_loss(std::vector(machine_->undecided().all, fixtures::Fate::kNew), 1);
  auto log = storage::open_log(*copy, options(Access::kReadWrite));
  if (!log) return refused(log.error(), number);
  Seen seen;
  for (int i = 0; i < 20; ++i) {
    if (auto why = read_all(**log, number, seen); i % 10 == 0 && !why.empty()) return why;
    auto step = (*log)->background_step(copy->steady() + std::chrono::hours(1));
    if (!step) return "a background step failed: " + step.error().message;
  }
  if (auto why = read_ids(**log); !why.empty()) return why;
  return read_all(**log, number, seen);
}

std::string DamagedStore::verify(std::uint32_t number, Seen& seen) {
  const auto report = storage::verify(*machine_, "store");
  if (!report) {
    seen.detected = true;
    return refused(report.error(), number);
  }
  for (const auto& damage : report->damages) {
    if (damage.what.empty() || damage.remedy.empty()) return "a damage without words";
    seen.detected = seen.detected || damage.segment == number;
  }
  return "";
}

std::string DamagedStore::refused(const Error& error, std::uint32_t number) const {
  const bool right = error.code == ErrorCode::kRefused || error.code == ErrorCode::kUnsupported;
  if (!right) return "it does not open, and not for damage: " + error.message;
  if (error.message.find(storage::segment_name(number)) == std::string::npos)
    return "the refusal does not name the segment: " + error.message;
  return "";
}

bool DamagedStore::is_true(const RecordedEvent::Stored& stored) const {
  const auto at = stored.position.value - 1;
  if (at >= events_.size()) return false;
  const auto& event = events_[at];
  return stored.id == event.id && stored.version.value == versions_[at] &&
         protocol::stream_of(stored.encoded) == event.stream &&
         protocol::data_of(stored.encoded) == event.data;
}

std::string DamagedStore::told(const RecordedEvent::Stored& stored) const {
  return ": position " + to_string(stored.position) + ", version " + to_string(stored.version) +
         ", stream " + std::string(protocol::stream_of(stored.encoded)) + ", " +
         std::to_string(protocol::data_of(stored.encoded).size()) + " bytes of data";
}

std::string DamagedStore::read_all(const storage::Log& log, std::uint32_t number, Seen& seen) {
  if (log.durable().value != events_.size())
    return "it ends at " + to_string(log.durable()) + ", not " + std::to_string(events_.size());
  seen.unreadable = 0;
  Position after = 0;
  while (after < log.durable()) {
    BatchMemory batch;
    const auto last = log.read_forwards(after, log.durable(), {.bytes = 1 << 20}, batch);
    for (const auto& stored : batch.stored)
      if (stored.position.value != ++after.value || !is_true(stored))
        return "a wrong event at position " + to_string(after) + told(stored);
    if (last) {
      if (after != *last) return "the last position given is not " + to_string(*last);
      continue;
    }
    if (!batch.stored.empty()) continue;  // the next read meets the error
    const auto& error = last.error();
    if (error.code != ErrorCode::kCorrupt) return "not called damage: " + error.message;
    if (error.message.find(storage::segment_name(number)) == std::string::npos ||
        error.message.find("offset") == std::string::npos)
      return "an error that does not say where: " + error.message;
    // Everything else is served: one by one.
    const Position next[] = {Position{after.value + 1}};
    BatchMemory one;
    const auto single = log.read_each(next, {.bytes = 1 << 20}, one);
    after = next[0];
    if (!single)
      ++seen.unreadable;
    else if (one.stored.size() != 1 || !is_true(one.stored.front()))
      return "by itself, a wrong event at position " + to_string(after) + " beside " +
             error.message + (one.stored.empty() ? "" : told(one.stored.front()));
  }
  return "";
}

std::string DamagedStore::read_ids(const storage::Log& log) const {
  const auto ids = log.recent_ids(events_.size());
  if (!ids) return "the recent ids: " + ids.error().message;
  std::uint64_t expected = events_.size() - ids->size();
  for (const auto& recent : *ids) {
    if (recent.position.value != ++expected) return "a gap in the recent ids";
    if (recent.id != events_[expected - 1].id) return "a wrong id";
  }
  return "";
}

}  // namespace esdb::corruption
