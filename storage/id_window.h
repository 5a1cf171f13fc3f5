// The last ids of the log, with a fingerprint of each event: where an append that came before is
// recognised when its checks do not show it (design: retries).
//
// A ring of entries by position, and two tables from id to ring index: the newer one takes what is
// added, and when it has as many as the ring, the older one is emptied and takes its place. Nothing
// is ever taken out of a table: an index whose ring entry holds another id by now is passed over.
// (Taking each id out as it leaves the window was the writer's largest single cost.) 24 bytes an id
// and 11 to 23 for the tables: 1,000,000 ids take 41 MB. An id that was accepted again beyond the
// window stands in it once: the newest.
//
// Neither fits into a processor's cache, so a look-up costs a miss in each table, which prefetch()
// takes off the writer's way, and a table keeps a piece of the hash beside the index, so that an id
// which is not there costs no third one.
//
// Threads: the writer's driver.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "esdb/event.h"
#include "esdb/numbers.h"

namespace esdb::storage {

class IdWindow {
 public:
  struct Entry {
    EventId id{};
    std::uint64_t fingerprint{};  // its lowest bit gives way to `ends_commit`
    friend bool operator==(const Entry&, const Entry&) = default;
    bool ends_commit() const { return (fingerprint & 1) != 0; }
  };
  static Entry entry(const EventId& id, std::uint64_t fingerprint, bool ends_commit) {
    return {id, (fingerprint & ~std::uint64_t{1}) | (ends_commit ? 1U : 0U)};
  }

  explicit IdWindow(std::size_t capacity);
  // The most ids, up to kIdWindowMax, that a window of so many bytes holds.
  static std::size_t ids_within(std::size_t bytes);

  // Positions follow each other without a gap; the first may be any.
  void add(Position position, const Entry& entry);

  std::optional<Position> find(const EventId& id) const;
  // This id is looked for, and perhaps added, soon.
  void prefetch(const EventId& id) const;
  bool holds(Position position) const { return position > oldest() && position <= newest_; }
  const Entry& at(Position position) const;  // holds(position)
  // Whether a commit begins at this position; false where the window no longer shows it.
  bool begins_commit(Position position) const;

  std::size_t size() const { return size_; }
  Position newest() const { return newest_; }

 private:
  // Open addressing: 1 + ring index in the low bits, a piece of the hash in the others; 0 = free.
  using Table = std::vector<std::uint32_t>;

  Position oldest() const { return newest_.value - size_; }  // the one before the first held
  std::optional<Position> find_in(const Table& table, const EventId& id, std::uint64_t hash) const;
  void insert(Position position);
  void grow();

  std::size_t capacity_;
  std::size_t size_ = 0;
  Position newest_{};
  std::vector<Entry> ring_;  // index = position % ring_.size(), grown up to capacity_
  Table newer_, older_;      // older_ is empty until newer_ was full once
  std::size_t in_newer_ = 0;
};

}  // namespace esdb::storage
