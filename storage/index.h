// The index on disk: LMDB, derived from the log, deletable at any time.
//
// It may cost time, never a wrong answer: rows and chunks carry checksums, a term stands a second
// time under a seeded hash in another tree (absent means absent in both, where it is not just being
// written), a walk finds exactly the row's count, and every hit is checked against its record by
// whoever reads it. LMDB itself detects no damage.
//
//   <store>/index/data.mdb, lock.mdb   the environment
//   <store>/index/opening              there while it is opened: a left-over discards the index
//   <store>/index/damaged              damage was found: the next open discards the index
//   <store>/index.new/                 one that is being built
//
// Threads: commit() and rebuild_step(): the indexer. Everything else: any thread.
// Errors:  kUnavailable while it is rebuilt (with the percentage) or damaged; kDiskFull where
//          there is no room for a commit. Both concern the index alone: the log goes on. kCorrupt
//          where the log that it is rebuilt from is damaged (segment, positions): a rebuild stops
//          there, and nothing is answered from the index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "esdb/error.h"
#include "esdb/event_store.h"
#include "storage/generations.h"
#include "storage/log.h"

namespace esdb::storage {

class IndexReader;

struct IndexOptions {
  std::string directory{};  // <store>/index
  Uuid store_id{};
  std::uint64_t seed{};
  // Of dirty pages that a transaction may hold, by an estimate.
  std::size_t dirty_bytes = std::size_t{64} << 20;
  // In memory, of a generation that a rebuild reads from the log; there are two of them.
  std::size_t generation_bytes = std::size_t{64} << 20;
  // So many events at the most are read into the tail index at open; what is further behind is
  // written to the index first. 0: as many as about four of these generations hold.
  std::uint64_t replay_events_max = 0;
  std::function<void(std::string_view)> log{};
};

// What an index that has come to `indexed` means beside a log. `in_log`: the log's frame of that
// number. `knows_last_epoch`: the index has seen the epoch of the log's last frame, or the log has
// none at all.
enum class Standing : std::uint8_t {
  kGoOn,     // it holds a prefix of the log
  kRebuild,  // it is of another history: discard it
  kLost,     // the log has lost what the index proves was durable
};
Standing standing_of(const FrameMark& indexed, const std::optional<FrameMark>& in_log,
                     bool knows_last_epoch);

class Index {
 public:
  // Opens or makes the environment and compares its meta row with the log. What is foreign, forked
  // or damaged is discarded (to be rebuilt); an index beyond the log's end whose epochs hold the
  // log's last epoch proves that acknowledged data was lost: kRefused.
  static Result<std::unique_ptr<Index>> open(const IndexOptions& options, const Log& log);
  // Writes nothing. Null where there is no index that can be used: then the tail index has to hold
  // the whole log.
  static Result<std::unique_ptr<Index>> open_read_only(const IndexOptions& options, const Log& log);
  // The frame up to which an intact index of this store has come, when it has seen `last_epoch`
  // (the epoch of the last valid frame of the log; zeros: it has none). Else 0. Everything up to
  // that frame was durable. For recovery, before there is a log.
  static std::uint64_t claimed_frame(const IndexOptions& options, const Uuid& last_epoch,
                                     Access access);
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  FrameMark indexed() const;      // everything up to this frame is in it
  FrameMark tail_begins() const;  // indexed(), or what a rebuild comes to: for TailIndex, at open
  // Where the index holds a part of the tail index's first generation: the frame which that ends
  // with. Else 0. For TailOptions::first_end, at open.
  std::uint64_t first_end() const;
  std::size_t bytes() const;  // of the file in use

  // At open, where the log behind tail_begins() cannot be read whole (`why`, kCorrupt): the index
  // is to be brought up to the log's end first, as far as that goes.
  Result<void> fall_behind(const Log& log, const Error& why);

  // To be built anew from the whole log, whatever it holds: rebuild_step() does it, and until it is
  // finished the one that is there stays where it is. Before there is a tail index.
  Result<void> give_up(const Log& log);

  // ---- the indexer
  // One transaction of a generation, durable when it returns: entries and meta row. True: that was
  // its last, and the index has come to its end; else go on with the same one. A failure is aborted
  // and the environment reopened: go on with the same generation.
  Result<bool> commit(const std::shared_ptr<const Generation>& generation);
  // Whether it is not ready: it is written anew (index.new, without syncs, synced once, renamed) or
  // brought up to tail_begins() first; after damage was found, anew up to where it was.
  // rebuild_step() does a slice of it and says whether it is finished, so that a simulator can
  // drive it.
  Result<bool> rebuild_step(const Log& log);
  // A rebuild reads no further ahead: before the log is closed.
  void stop_reading();

  // ---- any thread
  bool needs_rebuild() const;
  int rebuild_percent() const;
  Position rebuilt() const;  // as many events a rebuild has done, some of them half and half
  // Why a rebuild does not go on: the log is damaged. What needs the index answers this.
  std::optional<Error> rebuild_failure() const;
  // Why read() cannot answer just now, where it is known beforehand.
  std::optional<Error> unreadable() const;
  // One transaction for reading.
  class Lease;
  Result<Lease> read();

  struct State;

 private:
  explicit Index(std::unique_ptr<State> state);
  Result<bool> finish_rebuild();

  std::unique_ptr<State> state_;
};

class Index::Lease {
 public:
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();
  const IndexReader& operator*() const { return *reader_; }
  const IndexReader* operator->() const { return reader_.get(); }

 private:
  friend class Index;
  Lease(State* state, std::unique_ptr<IndexReader> reader);
  State* state_ = nullptr;
  std::unique_ptr<IndexReader> reader_;
};

}  // namespace esdb::storage
