// Lookup: what is known of terms at one moment, from the generations and the index on disk
// together.
//
// It loads the log's durable position first, then takes the generations, then begins an LMDB
// transaction: in this order nothing up to that position can be missed, and what two sources hold
// counts once. It lives no longer than one batch or one preparation: a long transaction would keep
// LMDB from reusing pages.
//
// Threads: one.
// Errors:  kUnavailable while the index is rebuilt (with the percentage) or after damage in it was
//          found; never a wrong answer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esdb/error.h"
#include "esdb/event_store.h"
#include "storage/generations.h"
#include "storage/term.h"

namespace esdb::storage {

class Index;

// One term's positions, ascending, up to a bound. Valid while its Lookup is.
class Postings {
 public:
  struct Source;
  explicit Postings(std::unique_ptr<Source> source);
  Postings(Postings&&) noexcept;
  Postings& operator=(Postings&&) noexcept;
  ~Postings();

  // The first position >= / the last position <= the one given; 0 when there is none. Made for
  // walks in one direction.
  Result<Position> seek(Position at_or_after);
  Result<Position> seek_back(Position at_or_before);
  // Of a stream: the position of its n-th event, from 1; 0 beyond the end.
  Result<Position> nth(std::uint64_t ordinal);
  std::uint64_t count() const;  // all of them, up to the bound

 private:
  std::unique_ptr<Source> source_;
};

struct TermHead {
  std::uint64_t count{};  // of a stream: its version
  Position last{};
};

// What the generations are searched up to: the log's durable frame, loaded first, and its durable
// position.
struct LookupBound {
  std::uint64_t frame{};
  Position position{};
};

class Lookup {
 public:
  // For readers and preparation. `index` is null in a store without files.
  static Result<Lookup> begin(const Log& log, const TailIndex& tail, Index* index);
  static Result<Lookup> begin(const LookupBound& bound, const TailIndex& tail, Index* index);
  // For preparation, which mostly finds what it asks for in the generations: as begin(), and the
  // index is read when they do not tell. It may have come further by then; position() and frame()
  // stay as they were, and what is looked up is true at them or later.
  static Result<Lookup> begin_with_tail(const Log& log, const TailIndex& tail, Index* index);
  static Result<Lookup> begin_with_tail(const LookupBound& bound, const TailIndex& tail,
                                        Index* index);
  // For the writer: its view of the generations alone, laid-out events included, nothing on disk.
  static Lookup writers_view(const Log& log, const TailIndex& tail);
  Lookup(Lookup&&) noexcept;
  Lookup& operator=(Lookup&&) noexcept;
  ~Lookup();

  // What was looked up is true exactly at these: everything up to them is seen, and nothing above.
  // They are at least what the log had durable when the lookup began (and more where the index on
  // disk has come further meanwhile).
  Position position() const;
  std::uint64_t frame() const;

  Result<TermHead> head(const TermRef& term);                    // zeros when no event has it
  void prefetch_head(const TermRef& term, Prefetch what) const;  // before head()
  Result<Postings> postings(const TermRef& term);
  // Whether the generations alone tell that no event above it, up to position(), carries the term.
  // False: one does, or they do not reach back that far.
  bool tells_none_above(const TermRef& term, Position after) const;
  Result<std::uint64_t> tracked(std::string_view source);  // 0: nothing yet

  // Pages by prefix, in byte order, behind `after`. Streams: the system's only where the prefix
  // begins with `$`.
  struct Row {
    std::string text{};
    TermHead head{};
  };
  struct Page {
    std::vector<Row> rows{};
    std::string next{};
  };
  Result<Page> page(TermClass kind, std::string_view prefix, std::string_view after,
                    std::size_t limit);
  Result<TrackingPage> tracking(std::string_view prefix, std::string_view after, std::size_t limit);
  Result<std::uint64_t> stream_count();  // the system's not counted
  Result<std::uint64_t> system_event_count();

 private:
  struct State;
  explicit Lookup(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace esdb::storage
