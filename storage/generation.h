// One generation of the tail index: terms and tracking of the frames (begins_behind(), end()].
//
// Terms, their postings and the tracked sources lie in one arena and never move, so that readers
// search it without locks while the writer adds to it. A reader ignores what lies above the
// position and the frame it was given: what is not durable is here already.
//
// Threads: "writer": the writer's driver. "frozen": any thread, once the writer has frozen it and
//          said so through TailIndex. Everything else: any thread at any time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "storage/append_list.h"
#include "storage/generations.h"
#include "storage/growing_table.h"
#include "storage/log.h"
#include "storage/term.h"

namespace esdb::storage {

// Positions, as distances from the generation's base().
using TailPostings = AppendList<std::uint32_t, 3>;

struct TermNode {
  const TermNode* older{};  // the term that was new before this one
  std::uint64_t hash{};
  std::uint64_t first_version{};  // of a stream: of its first event here
  TailPostings postings{};
  const char* text_begin{};
  std::uint32_t sequence{};  // in order of first appearance, from 0
  std::uint16_t text_bytes{};
  TermClass kind{};

  std::string_view text() const { return {text_begin, text_bytes}; }
};
// By kind and text, as in the index on disk.
bool precedes(const TermNode* a, const TermNode* b);
// For a walk over sorted terms, which lie all over memory: the next ones are brought while the one
// there is worked on.
void prefetch_behind(const std::vector<const TermNode*>& sorted, std::size_t at);

// A source's position as of the end of a frame.
struct TrackedAt {
  std::uint64_t frame_number{};
  std::uint64_t position{};
};

struct SourceNode {
  const SourceNode* older{};
  std::uint64_t hash{};
  AppendList<TrackedAt, 1> values{};
  const char* text_begin{};
  std::uint16_t text_bytes{};
  std::uint64_t newest{};  // writer: the laid-out one, published when the frame ends

  std::string_view text() const { return {text_begin, text_bytes}; }
  // As of the frame; nothing when it was not tracked here by then.
  std::optional<std::uint64_t> up_to(std::uint64_t frame_number) const;
};

class Generation {
 public:
  Generation(const FrameMark& begins_behind, std::size_t table_slots);

  // ---- writer
  void add(const IndexedEvent& event);
  void add_tracking(std::string_view source, std::uint64_t position);
  void add_epoch(const Uuid& epoch_id) { epochs_.push_back(epoch_id); }
  void end_frame(const FrameMark& mark, std::size_t log_bytes = 0);
  std::uint64_t events() const { return events_; }
  std::size_t term_count() const { return terms_.count(); }
  std::size_t table_slots() const { return terms_.slots(); }
  std::optional<std::uint64_t> newest_tracked(std::string_view source) const;

  // ---- any thread
  const FrameMark& begins_behind() const { return begins_behind_; }
  std::uint64_t base() const { return begins_behind_.last.value; }
  const TermNode* find(const TermRef& term) const;
  void prefetch(const TermRef& term, Prefetch what) const;
  const SourceNode* find_source(std::string_view source) const;
  // The list's values up to the bound; how many they are, and the last of them (0: there is none).
  TailPostings::View view(const TailPostings& postings, Position bound) const;
  struct Head {
    std::uint32_t count{};
    Position last{};
  };
  Head head(const TailPostings& postings, Position bound) const;
  const TailPostings& new_streams() const { return new_streams_; }      // the system's not counted
  const TailPostings& system_events() const { return system_events_; }  // of streams named `$...`
  std::shared_ptr<const std::vector<const TermNode*>> sorted_terms() const;
  std::vector<const SourceNode*> sources() const;  // newest first
  std::size_t bytes() const;
  std::size_t log_bytes() const {
    return log_bytes_.load(std::memory_order_relaxed);
  }  // its frames'

  // ---- frozen
  const FrameMark& end() const { return end_; }
  std::span<const Uuid> epochs() const { return epochs_; }

 private:
  TermNode* find_or_add(const TermRef& term);
  std::uint32_t distance(Position position) const;

  const FrameMark begins_behind_;
  FrameMark end_;
  ListArena arena_;
  GrowingTable<TermNode> terms_;
  GrowingTable<SourceNode> sources_;
  std::atomic<const TermNode*> newest_term_{nullptr};
  std::atomic<const SourceNode*> newest_source_{nullptr};
  TailPostings new_streams_;
  TailPostings system_events_;
  std::vector<SourceNode*> tracked_in_frame_;
  std::vector<Uuid> epochs_;
  std::uint64_t events_ = 0;
  std::atomic<std::size_t> log_bytes_{0};

  mutable std::mutex sorted_mutex_;  // guards the two below
  mutable std::shared_ptr<const std::vector<const TermNode*>> sorted_;
  mutable const TermNode* sorted_up_to_ = nullptr;
};

}  // namespace esdb::storage
