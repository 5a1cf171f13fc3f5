#include "bench/read_load.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace esdb::bench {
namespace {

Error too_few(std::uint64_t found, std::uint64_t least) {
  return {.code = ErrorCode::kCorrupt,
          .message = "a read found " + std::to_string(found) + " events, at least " +
                     std::to_string(least) + " are there"};
}

void add(Reads& sum, const Reads& other) {
  sum.reads += other.reads;
  sum.events += other.events;
  sum.bytes += other.bytes;
  sum.latencies.merge(other.latencies);
}

// One read after another, each begun where the one before was answered.
class Reader {
 public:
  Reader(EventStore& store, const ReadLoad& load, std::size_t number, Budget& budget)
      : store_(store), load_(load), random_(load.seed * 1'000'003 + number), budget_(budget) {}

  void block() {
    for (bool is_first = true; !error && take(is_first); is_first = false) {
      begin_read();
      for (bool finished = false; !finished;) {
        auto batch = cursor_->next();
        if (!batch) {
          error = batch.error();
          return;
        }
        finished = note(*batch);
      }
    }
  }

  void next(bool is_first, const std::function<void()>& done) {
    if (error || !take(is_first)) return done();
    begin_read();
    next_batch(done);
  }

  Reads told;
  std::optional<Error> error;

 private:
  bool take(bool is_first) { return budget_.take(is_first, Clock::now()); }
  void begin_read() {
    begun_ = Clock::now();
    found_ = 0;
    cursor_.emplace(store_.read(load_.query(random_)));
  }
  void next_batch(const std::function<void()>& done) {
    cursor_->next({}, [this, &done](Result<Batch> batch) {
      if (!batch) {
        error = batch.error();
        return done();
      }
      return note(*batch) ? next(false, done) : next_batch(done);
    });
  }
  bool note(const Batch& batch) {
    for (const auto event : batch) told.bytes += event.encoded().size();
    found_ += batch.size();
    if (!batch.finished()) return false;
    told.latencies.add(Clock::now() - begun_);
    ++told.reads;
    told.events += found_;
    if (found_ < load_.least) error = too_few(found_, load_.least);
    return true;
  }

  EventStore& store_;
  const ReadLoad& load_;
  std::mt19937_64 random_;
  Budget& budget_;
  std::optional<Cursor> cursor_;
  Clock::time_point begun_;
  std::uint64_t found_ = 0;
};

void read_in_threads(std::vector<std::unique_ptr<Reader>>& readers) {
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < readers.size(); ++i)
    threads.emplace_back([&reader = *readers[i]] { reader.block(); });
  readers.front()->block();
}

void read_by_completions(std::vector<std::unique_ptr<Reader>>& readers) {
  std::mutex mutex;
  std::condition_variable all_done;
  std::size_t running = readers.size();
  const std::function<void()> done = [&] {
    const std::lock_guard lock(mutex);
    if (--running == 0) all_done.notify_one();
  };
  for (const auto& reader : readers) reader->next(true, done);
  std::unique_lock lock(mutex);
  all_done.wait(lock, [&] { return running == 0; });
}

}  // namespace

Result<Reads> read_everything(EventStore& store, const Query& query, const ReadOptions& options,
                              const CallOptions& call) {
  Reads reads{.reads = 1};
  unsigned sum = 0;
  const auto begin = Clock::now();
  auto read = store.for_each(
      query, options,
      [&](RecordedEvent event) {
        const auto data = event.data();
        ++reads.events;
        reads.bytes += event.encoded().size();
        sum += static_cast<unsigned char>(data.empty() ? 0 : data.back());
      },
      call);
  reads.taken = seconds_since(begin);
  if (!read) return std::unexpected(read.error());
  if (reads.events > 0 && sum == 0) return std::unexpected(too_few(0, reads.events));
  return reads;
}

Result<Reads> run(EventStore& store, const ReadLoad& load) {
  Budget budget(load.amount);
  std::vector<std::unique_ptr<Reader>> readers;
  const auto count = load.in_flight != 0 ? load.in_flight : load.readers;
  for (std::size_t i = 0; i < count; ++i)
    readers.push_back(std::make_unique<Reader>(store, load, i, budget));
  if (load.in_flight != 0)
    read_by_completions(readers);
  else
    read_in_threads(readers);
  Reads all{.taken = budget.taken()};
  for (const auto& reader : readers) {
    if (reader->error) return std::unexpected(*reader->error);
    add(all, reader->told);
  }
  return all;
}

}  // namespace esdb::bench
