// A ledger: what a store acknowledged, written down by whoever was told, outside that store.
//
// Its lines come through a pipe from a writer that may be killed at any moment. Each append is
// written with one write(), so a line is there whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "esdb/append.h"
#include "esdb/event_store.h"

namespace esdb::end_to_end {

// What the events of one append carry in their data, so that each can be told to be whole, and
// beside which others it must lie: {"append":"UUID","index":0,"of":3,"fill":"..."}.
struct Part {
  std::string append{};
  std::size_t index{}, of{};
  friend bool operator==(const Part&, const Part&) = default;
};
std::string data_of(const Part& part, std::size_t fill_bytes);
Part part_of(std::string_view data);
// The id that this event has, whoever makes it.
EventId id_of(const Part& part);
std::uint64_t fingerprint(std::string_view bytes);

struct LedgerEntry {
  std::string stream{};
  std::string type{};
  std::uint64_t version{}, position{}, data_fingerprint{};
  Part part{};
};

class Ledger {
 public:
  // What a writer says of an append that was acknowledged, in one piece.
  static std::string lines(const AppendRequest& request, const Appended& appended);

  void add(std::string_view bytes);  // as they come
  void end_of_writer() { rest_.clear(); }
  std::size_t size() const { return entries_.size(); }
  std::size_t writers() const { return writers_; }  // that opened their store
  const std::unordered_map<std::string, LedgerEntry>& entries() const { return entries_; }

  // What a writer says once its store is open.
  static constexpr std::string_view kOpen = "open\n";

 private:
  void add_line(const std::string& line);

  std::unordered_map<std::string, LedgerEntry> entries_{};  // by id
  std::string rest_{};
  std::size_t writers_ = 0;
};

}  // namespace esdb::end_to_end
