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
// So many additions ahead the slot of the id that will have to go is fetched.
constexpr std::uint64_t kEraseAhead = 4;

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

// The slot comes from bits that the tag does not have.
std::size_t IdWindow::slot_of(std::uint64_t hash) const {
  return static_cast<std::size_t>(hash >> 32) & (table_.size() - 1);
}

void IdWindow::prefetch(const EventId& id) const {
  if (!table_.empty()) __builtin_prefetch(&table_[slot_of(mixed(id))], 1);
}

std::optional<Position> IdWindow::find(const EventId& id) const {
  if (size_ == 0) return {};
  const std::uint64_t hash = mixed(id);
  const std::uint32_t tag = tag_of(hash);
  const std::size_t mask = table_.size() - 1;
  for (std::size_t slot = slot_of(hash); table_[slot] != 0; slot = (slot + 1) & mask) {
    if (!has_tag(table_[slot], tag)) continue;
    const std::size_t index = index_in(table_[slot]);
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
  if (size_ == ring_.size() || ring_.empty()) {
    if (ring_.size() < capacity_) {
      grow();
    } else {
      const std::uint64_t oldest = newest_.value - size_ + 1;
      if (size_ > kEraseAhead) prefetch(at(Position{oldest + kEraseAhead}).id);
      erase(Position{oldest});
      --size_;
    }
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
  std::size_t slot = slot_of(hash);
  for (; table_[slot] != 0; slot = (slot + 1) & (table_.size() - 1)) {
    if (has_tag(table_[slot], tag) && ring_[index_in(table_[slot])].id == id)
      break;  // the newest stands for the id
  }
  table_[slot] = tag | (static_cast<std::uint32_t>(index) + 1);
}

void IdWindow::erase(Position position) {
  const std::size_t mask = table_.size() - 1;
  const std::size_t index = position.value % ring_.size();
  std::size_t slot = slot_of(mixed(ring_[index].id));
  while (table_[slot] != 0 && index_in(table_[slot]) != index) slot = (slot + 1) & mask;
  if (table_[slot] == 0) return;  // a newer event with the same id took its place
  // Close the gap, so that no probe stops early.
  std::size_t gap = slot;
  for (std::size_t next = (gap + 1) & mask; table_[next] != 0; next = (next + 1) & mask) {
    const std::size_t home = slot_of(mixed(ring_[index_in(table_[next])].id));
    if (((next - home) & mask) >= ((next - gap) & mask)) {
      table_[gap] = table_[next];
      gap = next;
    }
  }
  table_[gap] = 0;
}

void IdWindow::grow() {
  const std::size_t bigger = std::min(capacity_, std::max(kFirstRing, ring_.size() * 4));
  std::vector<Entry> ring(bigger);
  for (std::uint64_t p = newest_.value - size_ + 1; p <= newest_.value; ++p)
    ring[p % bigger] = ring_[p % ring_.size()];
  ring_ = std::move(ring);
  table_.assign(std::bit_ceil(bigger * 2), 0);
  for (std::uint64_t p = newest_.value - size_ + 1; p <= newest_.value; ++p) insert(Position{p});
}

}  // namespace esdb::storage
