#include "storage/id_window.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "esdb/limits.h"
#include "storage/check.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kFirstRing = 256;
constexpr unsigned kIndexBits = 20;
constexpr std::uint32_t kIndexMask = (1U << kIndexBits) - 1;
constexpr std::size_t kCapacityMax = kIndexMask;  // 1 + index fits
static_assert(kIdWindowMax <= kCapacityMax);

// Slots of a table: at most 7 of 10 are taken.
std::size_t slots_for(std::size_t ids) { return std::bit_ceil(ids * 10 / 7 + 1); }
std::size_t ids_in(std::size_t slots) { return slots * 7 / 10 - 1; }

// The slot comes from bits that the tag does not have.
std::size_t slot_of(std::uint64_t hash, std::size_t slots) {
  return static_cast<std::size_t>(hash >> 32) & (slots - 1);
}

std::uint64_t mixed(const EventId& id) {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, id.bytes.data(), 8);
  std::memcpy(&low, id.bytes.data() + 8, 8);
  std::uint64_t hash = (high ^ std::rotl(low, 29)) * 0x9e37'79b9'7f4a'7c15;
  hash ^= hash >> 32;
  return hash * 0xd6e8'feb8'6659'fd93;
}

std::size_t index_in(std::uint32_t entry) { return (entry & kIndexMask) - 1; }
std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash) & ~kIndexMask; }
bool has_tag(std::uint32_t entry, std::uint32_t tag) { return (entry & ~kIndexMask) == tag; }

}  // namespace

IdWindow::IdWindow(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {
  ESDB_CHECK(capacity <= kCapacityMax);
}

const IdWindow::Entry& IdWindow::at(Position position) const {
  ESDB_CHECK(holds(position));
  return ring_[position.value % ring_.size()];
}

bool IdWindow::begins_commit(Position position) const {
  if (position == Position{1}) return true;
  const Position before = position.value - 1;
  return holds(before) && at(before).ends_commit();
}

std::size_t IdWindow::ids_within(std::size_t bytes) {
  std::size_t most = 0;
  for (std::size_t slots = kFirstRing; slots <= std::size_t{1} << (kIndexBits + 1); slots *= 2) {
    const std::size_t tables = 2 * slots * sizeof(Table::value_type);
    if (tables < bytes)
      most = std::max(most, std::min(ids_in(slots), (bytes - tables) / sizeof(Entry)));
  }
  return std::min(most, kIdWindowMax);
}

void IdWindow::prefetch(const EventId& id) const {
  if (newer_.empty()) return;
  const std::uint64_t hash = mixed(id);
  __builtin_prefetch(&newer_[slot_of(hash, newer_.size())], 1);
  if (!older_.empty()) __builtin_prefetch(&older_[slot_of(hash, older_.size())]);
}

std::optional<Position> IdWindow::find(const EventId& id) const {
  const std::uint64_t hash = mixed(id);
  if (const auto found = find_in(newer_, id, hash)) return found;
  return find_in(older_, id, hash);
}

std::optional<Position> IdWindow::find_in(const Table& table, const EventId& id,
                                          std::uint64_t hash) const {
  if (table.empty()) return {};
  const std::uint32_t tag = tag_of(hash);
  const std::size_t mask = table.size() - 1;
  for (std::size_t slot = slot_of(hash, table.size()); table[slot] != 0; slot = (slot + 1) & mask) {
    if (!has_tag(table[slot], tag)) continue;
    const std::size_t index = index_in(table[slot]);
    if (ring_[index].id != id) continue;
    // The ring holds size_ consecutive positions, so the index names exactly one of them.
    const std::uint64_t last_index = newest_.value % ring_.size();
    const std::uint64_t back = (last_index + ring_.size() - index) % ring_.size();
    return Position{newest_.value - back};
  }
  return {};
}

void IdWindow::add(Position position, const Entry& entry) {
  if (size_ == 0) {
    newest_ = position.value - 1;
  }
  ESDB_CHECK(position.value == newest_.value + 1);
  if (size_ == ring_.size() && size_ < capacity_) grow();
  if (size_ == ring_.size()) --size_;  // the oldest gives way
  if (in_newer_ == ring_.size()) {     // it knows all that the ring holds
    std::swap(newer_, older_);
    newer_.assign(older_.size(), 0);
    in_newer_ = 0;
  }
  newest_ = position;
  ++size_;
  ring_[position.value % ring_.size()] = entry;
  insert(position);
}

void IdWindow::insert(Position position) {
  const std::size_t index = position.value % ring_.size();
  const EventId& id = ring_[index].id;
  const std::uint64_t hash = mixed(id);
  const std::uint32_t tag = tag_of(hash);
  std::size_t slot = slot_of(hash, newer_.size());
  for (; newer_[slot] != 0; slot = (slot + 1) & (newer_.size() - 1)) {
    if (has_tag(newer_[slot], tag) && ring_[index_in(newer_[slot])].id == id)
      break;  // the newest stands for the id
  }
  newer_[slot] = tag | (static_cast<std::uint32_t>(index) + 1);
  ++in_newer_;
}

void IdWindow::grow() {
  const std::size_t bigger = std::min(capacity_, std::max(kFirstRing, ring_.size() * 4));
  std::vector<Entry> ring(bigger);
  for (std::uint64_t p = newest_.value - size_ + 1; p <= newest_.value; ++p)
    ring[p % bigger] = ring_[p % ring_.size()];
  ring_ = std::move(ring);
  newer_.assign(slots_for(bigger), 0);
  in_newer_ = 0;
  for (std::uint64_t p = newest_.value - size_ + 1; p <= newest_.value; ++p) insert(Position{p});
}

}  // namespace esdb::storage
