// SimulatedStore: the real recovery, log, tail index, window of ids and writer over a SimulatedIo,
// and on demand the real index and indexer over LMDB in a directory, stepped by hand; and a ledger
// of what was asked of it and what it answered.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "storage/index.h"
#include "storage/indexer.h"
#include "storage/prepare.h"
#include "storage/writer.h"
#include "tests/fixtures/simulated_io.h"

namespace esdb::simulation {

using fixtures::SimulatedIo;

// An append as it was asked for. Everything in it follows from its number, so that two runs of one
// seed ask for the same bytes.
struct Asked {
  struct Event {
    EventId id{};
    std::string stream{};
    std::string tag{};
    std::string data{};
  };
  std::vector<Event> events{};
  std::uint64_t tracked = 0;  // of the one source; 0: no tracking in this append
  bool acknowledged = false;
};

// What the log must hold: appends in the order they were asked for.
class Ledger {
 public:
  // An append of events of so many bytes, over the ledger's few streams.
  Asked& ask(std::size_t events, std::size_t bytes);
  const std::deque<Asked>& asked() const { return asked_; }
  // The last position of everything acknowledged.
  Position acknowledged() const;
  // Forgets what a crash that left the log durable up to there has lost; "" or what is wrong with
  // that end.
  std::string cut(Position durable);

 private:
  std::deque<Asked> asked_{};  // an append stays where it is while others follow
  std::uint64_t numbers_ = 0;
};

class SimulatedStore {
 public:
  struct Options {
    std::size_t segment_bytes = std::size_t{32} << 10;
    std::size_t window = 64;         // ids
    std::size_t pipeline_bytes = 1;  // every append may be a frame of its own, up to four under way
    std::size_t write_unit = 0;
    // Of the index; empty: there is none, and the tail index holds everything.
    std::string directory{};
    std::size_t index_dirty_bytes = storage::IndexOptions{}.dirty_bytes;
  };
  SimulatedStore(SimulatedIo& io, const Options& options) : io_(io), options_(options) {}
  ~SimulatedStore();
  SimulatedStore(const SimulatedStore&) = delete;
  SimulatedStore& operator=(const SimulatedStore&) = delete;

  std::string open();  // "" or why not
  bool is_open() const { return log_ != nullptr; }
  const storage::Log& log() const { return *log_; }
  Position shown() const { return log_ ? log_->durable() : Position{}; }

  // Into the queue. `asked` is marked when the answer comes.
  void put(Asked& asked);
  void advance();
  // Lets one write finish; false: none is under way.
  bool finish_one();
  // Until everything asked for is answered; the background works where the writer waits for it.
  // "" or what went wrong.
  std::string settle();
  // One step of what is due now, or would be in an hour.
  std::string background();
  // What is in memory goes into the index, as far as the indexer takes it.
  std::string index();
  std::string close();  // with the clean mark
  void drop();          // as a process that is killed

  // "" when the log holds exactly what the ledger does, and every look-up finds it.
  std::string compare(const Ledger& ledger) const;

 private:
  std::string open_index();
  std::string rebuild();
  storage::Sources sources() const { return {*log_, *tail_, index_.get()}; }
  storage::Writer::Tells tells();
  std::string compare_events(const std::vector<const Asked::Event*>& known,
                             const std::vector<std::size_t>& ends) const;
  std::string compare_terms(const std::vector<const Asked::Event*>& known,
                            std::uint64_t tracked) const;

  SimulatedIo& io_;
  const Options options_;
  std::unique_ptr<storage::Log> log_{};
  std::unique_ptr<storage::Index> index_{};
  std::unique_ptr<storage::TailIndex> tail_{};
  std::unique_ptr<storage::Indexer> indexer_{};
  std::unique_ptr<storage::IdWindow> window_{};
  std::unique_ptr<storage::Inbox> inbox_{};
  std::unique_ptr<storage::Ring> ring_{};
  std::unique_ptr<storage::Writer> writer_{};
  std::string failed_{};  // the first answer that was an error
  std::size_t open_answers_ = 0;
};

}  // namespace esdb::simulation
