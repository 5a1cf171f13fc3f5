// A hash table that one thread adds to while others search it: open addressing over pointers to
// nodes that never move. When it is half full a table of twice the size replaces it; the replaced
// one stays until the end, for readers that still search it.
//
// Node: has `hash` (of what it is found by).
// Threads: add(): one writer. Everything else: any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "storage/mapped_memory.h"

namespace esdb::storage {

template <class Node>
class GrowingTable {
  using Slot = std::atomic<Node*>;
  static_assert(Slot::is_always_lock_free && sizeof(Slot) == sizeof(Node*));

  // Zeroed memory is a table of null pointers.
  struct Slots {
    explicit Slots(std::size_t count) : mask(count - 1) {
      if (count * sizeof(Slot) < kMappedFrom) {
        small = std::make_unique<Slot[]>(count);
        slots = small.get();
      } else {
        large.emplace(count * sizeof(Slot));
        slots = static_cast<Slot*>(large->data());
      }
    }
    const std::size_t mask;
    Slot* slots;
    std::unique_ptr<Slot[]> small;
    std::optional<MappedMemory> large;
  };
  static constexpr std::size_t kMappedFrom = std::size_t{128} << 10;
  static constexpr std::size_t kCacheLineBytes = 64;

 public:
  // `slots`: a power of two.
  explicit GrowingTable(std::size_t slots) { replace(slots); }
  GrowingTable(const GrowingTable&) = delete;
  GrowingTable& operator=(const GrowingTable&) = delete;

  // ---- writer
  void add(Node* node) {
    if ((count_ + 1) * 2 > tables_.back()->mask + 1) [[unlikely]]
      grow();
    put(*tables_.back(), node, std::memory_order_release);
    ++count_;
  }
  std::size_t count() const { return count_; }
  std::size_t slots() const { return tables_.back()->mask + 1; }

  // ---- any thread
  // The node with this hash that `is_it` accepts, or null.
  template <class Predicate>
  Node* find(std::uint64_t hash, const Predicate& is_it) const {
    const Slots& table = *newest_.load(std::memory_order_acquire);
    for (std::size_t at = hash & table.mask;; at = (at + 1) & table.mask) {
      Node* node = table.slots[at].load(std::memory_order_acquire);
      if (node == nullptr) return nullptr;
      if (node->hash == hash && is_it(*node)) return node;
    }
  }
  // What find() will touch: the slot first, and when that has come, the node.
  void prefetch_slot(std::uint64_t hash) const {
    const Slots& table = *newest_.load(std::memory_order_acquire);
    __builtin_prefetch(&table.slots[hash & table.mask]);
  }
  void prefetch_node(std::uint64_t hash) const {
    const Slots& table = *newest_.load(std::memory_order_acquire);
    const Node* node = table.slots[hash & table.mask].load(std::memory_order_acquire);
    if (node == nullptr) return;
    __builtin_prefetch(node);
    __builtin_prefetch(reinterpret_cast<const std::byte*>(node) + kCacheLineBytes);
  }
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static void put(Slots& table, Node* node, std::memory_order order) {
    std::size_t at = node->hash & table.mask;
    while (table.slots[at].load(std::memory_order_relaxed) != nullptr) at = (at + 1) & table.mask;
    table.slots[at].store(node, order);
  }
  void replace(std::size_t slots) {
    tables_.push_back(std::make_unique<Slots>(slots));
    bytes_.fetch_add(slots * sizeof(Slot), std::memory_order_relaxed);
    newest_.store(tables_.back().get(), std::memory_order_release);
  }
  void grow() {
    const Slots& old = *tables_.back();
    auto larger = std::make_unique<Slots>((old.mask + 1) * 2);
    for (std::size_t at = 0; at <= old.mask; ++at)
      if (Node* node = old.slots[at].load(std::memory_order_relaxed))
        put(*larger, node, std::memory_order_relaxed);
    bytes_.fetch_add((larger->mask + 1) * sizeof(Slot), std::memory_order_relaxed);
    tables_.push_back(std::move(larger));
    newest_.store(tables_.back().get(), std::memory_order_release);
  }

  std::vector<std::unique_ptr<Slots>> tables_;
  std::size_t count_ = 0;
  std::atomic<const Slots*> newest_{nullptr};
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace esdb::storage
