// Opening a store whose files were damaged: the real recovery, the readers, the offline check.
//
// An event that is served is the one that was written at its position; where checksums were made
// anew over what was changed, it is at least one whose checksum is sound there. What the offline
// check calls sound opens, and serves as many. What opened for writing takes an append, and opens
// again with all that it served and the append behind it.
//
//   mode | changes (damaged_store.h)
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "protocol/encoded_event.h"
#include "storage/check.h"
#include "storage/generations.h"
#include "storage/memory_io.h"
#include "storage/recovery.h"
#include "storage/replay.h"
#include "storage/verify.h"
#include "tests/fuzz/damaged_store.h"
#include "tests/fuzz/input.h"

namespace esdb::storage {
namespace {

constexpr std::uint8_t kMend = 1;
constexpr std::uint8_t kReadOnly = 2;
constexpr std::uint8_t kWithIndex = 4;

// What may be served.
class Truth {
 public:
  Truth(const fuzz::WholeStore& whole, const fuzz::Files& damaged, bool is_mended)
      : whole_(whole), is_mended_(is_mended) {
    if (is_mended) records_.emplace(damaged);
  }

  bool is_mended() const { return is_mended_; }
  void check(const RecordedEvent::Stored& event, std::uint64_t seed) const {
    if (is_mended_) {
      ESDB_CHECK(records_->hold(event, seed));
      return;
    }
    ESDB_CHECK(event.position.value >= 1 && event.position.value <= whole_.events.size() + 1);
    // Behind those that were acknowledged: the one that was under way.
    if (event.position.value > whole_.events.size()) return;
    const auto& known = whole_.events[event.position.value - 1];
    ESDB_CHECK(event.encoded.size() == known.size() &&
               std::memcmp(event.encoded.data(), known.data(), known.size()) == 0);
  }

 private:
  const fuzz::WholeStore& whole_;
  const bool is_mended_;
  std::optional<fuzz::Records> records_{};
};

void check_batch(const BatchMemory& batch, const Truth& truth, std::uint64_t seed) {
  for (const auto& event : batch.stored) {
    ESDB_CHECK(protocol::has_accepted_layout(event.encoded));
    ESDB_CHECK(protocol::id_of(event.encoded) == event.id);
    truth.check(event, seed);
  }
}

// Every event is given as it was written, or named damaged.
void read_all(const Log& log, const Truth& truth) {
  const auto durable = log.durable();
  ESDB_CHECK(durable.value < 10'000 || durable.value > (std::uint64_t{1} << 32));
  const auto failed = [](const Error& error) {
    ESDB_CHECK(error.code == ErrorCode::kCorrupt && !error.message.empty());
  };
  const auto begin = durable.value < 10'000 ? Position{0} : Position{durable.value - 8};
  for (auto after = begin; after < durable;) {
    BatchMemory batch;
    const auto last = log.read_forwards(after, durable, {.bytes = 32'768}, batch);
    if (!last) failed(last.error());
    check_batch(batch, truth, log.seed());
    ESDB_CHECK(!last || *last > after);
    after = last ? *last : Position{after.value + 1};
  }
  BatchMemory backwards;
  if (const auto last = log.read_backwards(durable, Position{1}, {.bytes = 16'384}, backwards);
      !last)
    failed(last.error());
  check_batch(backwards, truth, log.seed());
  for (auto at = begin; at < durable; at = at.value + 5) {
    BatchMemory batch;
    const Position position{at.value + 1};
    if (const auto given = log.read_each({&position, 1}, {.bytes = 4096}, batch); !given)
      failed(given.error());
    check_batch(batch, truth, log.seed());
    const auto mark = log.frame_of(position);
    if (!mark) failed(mark.error());
    ESDB_CHECK(!mark || mark->last >= position || truth.is_mended());
  }
  if (const auto found = log.first_at_or_after(Time(std::chrono::seconds(2))); !found)
    failed(found.error());
  if (const auto ids = log.recent_ids(1000); !ids) failed(ids.error());
  if (truth.is_mended()) return;  // versions may then contradict each other, as no writer's do
  TailIndex tail(FrameMark{}, TailOptions{.keeps_everything = true});
  if (const auto replayed = replay_tail(log, tail); !replayed) failed(replayed.error());
}

void append_and_reopen(std::unique_ptr<Log> log, Io& io, const Truth& truth) {
  const auto before = log->durable();
  const auto added = fuzz::encoded_event("new", "new", EventId::derive({}, 1'000'001));
  std::map<std::string, std::uint64_t, std::less<>> versions;
  if (!fuzz::append(*log, io, {.events = {added}}, versions)) return;
  ESDB_CHECK(log->durable() == Position{before.value + 1});
  log.reset();
  auto again = open_log(io, fuzz::log_options(Access::kReadWrite));
  if (!again) std::fprintf(stderr, "%s\n", again.error().message.c_str());
  ESDB_CHECK(again.has_value());
  log = std::move(*again);
  ESDB_CHECK(log->durable() == Position{before.value + 1});
  BatchMemory batch;
  const auto last = log->read_forwards(before, log->durable(), {.bytes = 4096}, batch);
  ESDB_CHECK(last.has_value() && batch.stored.size() == 1);
  ESDB_CHECK(std::ranges::equal(batch.stored[0].encoded, added));
  if (before == Position{0}) return;
  BatchMemory older;
  if (log->read_backwards(before, Position{1}, {.bytes = 4096}, older))
    check_batch(older, truth, log->seed());
}

void check_store(fuzz::Input input) {
  const auto mode = input.take<std::uint8_t>();
  const auto& whole = fuzz::whole_stores()[mode / 8 % fuzz::whole_stores().size()];
  auto files = whole.files;
  fuzz::damage(files, input);
  const bool is_mended = (mode & kMend) != 0;
  if (is_mended) fuzz::mend_checksums(files);
  const Truth truth(whole, files, is_mended);

  MemoryIo io;
  fuzz::put_files(files, io);
  if ((mode & kWithIndex) != 0) ESDB_CHECK(io.make_directory("store/index").has_value());
  const auto report = verify(io, "store");

  const auto access = (mode & kReadOnly) != 0 ? Access::kReadOnly : Access::kReadWrite;
  auto log = open_log(io, fuzz::log_options(access));
  if (!log) {
    ESDB_CHECK(!log.error().message.empty());
    const bool holds_nothing =
        report && report->last_frame == 0 && log.error().code == ErrorCode::kInvalidArgument;
    const bool agreed = is_mended || holds_nothing || !report || !report->is_sound();
    if (!agreed) std::fprintf(stderr, "%s\n", log.error().message.c_str());
    ESDB_CHECK(agreed);
    return;
  }
  read_all(**log, truth);
  if (!is_mended && report && report->is_sound()) ESDB_CHECK((*log)->durable() == report->last);
  if (access == Access::kReadWrite) append_and_reopen(std::move(*log), io, truth);
}

}  // namespace
}  // namespace esdb::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  esdb::storage::check_store({data, size});
  return 0;
}
