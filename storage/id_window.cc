#include "storage/id_window.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "storage/check.h"

namespace esdb::storage {
namespace {

constexpr std::size_t kFirstRing = 256;

std::uint64_t mixed(const EventId& id) {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, id.bytes.data(), 8);
  std::memcpy(&low, id.bytes.data() + 8, 8);
  std::uint64_t hash = (high ^ std::rotl(low, 29)) * 0x9e37'79b9'7f4a'7c15;
  hash ^= hash >> 32;
  return hash * 0xd6e8'feb8'6659'fd93;
}

}  // namespace

IdWindow::IdWindow(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

const IdWindow::Entry& IdWindow::at(Position position) const {
  ESDB_CHECK(holds(position));
  return ring_[position.value % ring_.size()];
}

bool IdWindow::begins_commit(Position position) const {
  if (position == Position{1}) return true;
  const Position before = position.value - 1;
  return holds(before) && at(before).ends_commit();
}

std::size_t IdWindow::slot_of(const EventId& id) const {
  return static_cast<std::size_t>(mixed(id) >> 20) & (table_.size() - 1);
}

std::optional<Position> IdWindow::find(const EventId& id) const {
  if (size_ == 0) return {};
  for (std::size_t slot = slot_of(id); table_[slot] != 0; slot = (slot + 1) & (table_.size() - 1)) {
    const std::size_t index = table_[slot] - 1;
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
      erase(Position{newest_.value - size_ + 1});
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
  std::size_t slot = slot_of(ring_[index].id);
  for (; table_[slot] != 0; slot = (slot + 1) & (table_.size() - 1)) {
    if (ring_[table_[slot] - 1].id == ring_[index].id) break;  // the newest stands for the id
  }
  table_[slot] = static_cast<std::uint32_t>(index) + 1;
}

void IdWindow::erase(Position position) {
  const std::size_t mask = table_.size() - 1;
  const std::size_t index = position.value % ring_.size();
  std::size_t slot = slot_of(ring_[index].id);
  while (table_[slot] != 0 && table_[slot] - 1 != index) slot = (slot + 1) & mask;
  if (table_[slot] == 0) return;  // a newer event with the same id took its place
  // Close the gap, so that no probe stops early.
  std::size_t gap = slot;
  for (std::size_t next = (gap + 1) & mask; table_[next] != 0; next = (next + 1) & mask) {
    const std::size_t home = slot_of(ring_[table_[next] - 1].id);
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
