// Every bit of a sealed segment, every length, and faults by chance: no wrong event is ever
// returned, none is missing silently, and verify finds it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <string>

#include "storage/format.h"
#include "storage/offline_segment.h"
#include "tests/corruption/damaged_store.h"
#include "tests/fixtures/figures.h"
#include "tests/fixtures/test_run.h"

namespace esdb::corruption {
namespace {

using Seen = DamagedStore::Seen;
constexpr std::size_t kBytes = DamagedStore::kSegmentBytes;
constexpr std::size_t kSector = fixtures::kSectorBytes;

// The ordinary slice takes one of so many, and other ones with another seed.
std::size_t stride() { return fixtures::scale() >= 10 ? 1 : 89; }

struct Sum {
  std::uint64_t cases{}, detected{}, refused{}, unreadable{};
  void add(const Seen& seen) {
    ++cases;
    detected += seen.detected ? 1 : 0;
    refused += seen.refused ? 1 : 0;
    unreadable += seen.unreadable;
  }
  void tell(std::string_view what) const {
    fixtures::tell(what, {{cases, "cases"},
                          {detected, "detected"},
                          {refused, "stores refused"},
                          {unreadable, "events answered with an error"}});
  }
};

TEST(Corruption, OfAnyBitOfASealedSegmentIsFoundAndNeverServed) {
  DamagedStore store(1);
  Sum sum;
  for (std::size_t bit = fixtures::seed() % stride(); bit < kBytes * 8; bit += stride()) {
    auto& byte = store.segment(1)[bit / 8];
    const auto mask = static_cast<std::byte>(1U << (bit % 8));
    byte ^= mask;
    Seen seen;
    ASSERT_EQ(store.look(1, seen), "") << "bit " << bit;
    ASSERT_TRUE(seen.detected) << "bit " << bit;
    if (bit % 64 == bit / 64 % 64) {
      ASSERT_EQ(store.look_at_mended(1), "") << "bit " << bit;
    }
    byte ^= mask;
    sum.add(seen);
  }
  sum.tell("single bits");
}

TEST(Corruption, OfAnyLengthIsFoundAndNeverServed) {
  DamagedStore store(2);
  Sum sum;
  for (std::size_t bytes = fixtures::seed() % stride(); bytes < kBytes; bytes += stride()) {
    store.resize(1, bytes);
    Seen seen;
    ASSERT_EQ(store.look(1, seen), "") << "cut at " << bytes;
    ASSERT_TRUE(seen.detected) << "cut at " << bytes;
    store.restore(1);
    sum.add(seen);
  }
  sum.tell("truncations");
}

// Where the records of a segment lie, by the position in their checksum.
struct Places {
  std::map<std::uint64_t, std::span<std::byte>> events{}, tracking{};
};
Places places_in(std::span<std::byte> segment) {
  storage::SegmentHeader header;
  std::memcpy(&header, segment.data(), sizeof(header));
  Places places;
  const auto each = [&](const storage::WalkedFrame& frame) -> Result<void> {
    for (const auto& record : frame.records) {
      const auto at = record.payload.data() - segment.data();
      const auto bytes =
          segment.subspan(static_cast<std::size_t>(at) - sizeof(storage::RecordHeader),
                          storage::record_bytes(record.payload.size()));
      auto& kind = record.kind == storage::RecordKind::kEvent ? places.events : places.tracking;
      kind[record.position.value] = bytes;
    }
    return {};
  };
  const auto begin = storage::first_frame_at(header.block_bytes);
  EXPECT_TRUE(storage::walk_frames(segment, header, {begin, segment.size() * 3 / 4}, each));
  return places;
}

// A tracking record's checksum knows the position before it.
TEST(Corruption, ThatPutsATrackingRecordInAnEventsPlaceGivesNoEvent) {
  DamagedStore store(3);
  const auto places = places_in(store.segment(1));
  std::size_t tried = 0;
  for (const auto& [position, tracking] : places.tracking) {
    const auto event = places.events.find(position);
    if (event == places.events.end() || event->second.size() < tracking.size()) continue;
    std::ranges::copy(tracking, event->second.begin());
    Seen seen;
    ASSERT_EQ(store.look(1, seen), "") << "position " << position;
    EXPECT_TRUE(seen.detected && seen.unreadable > 0);
    store.restore(1);
    ++tried;
  }
  EXPECT_GT(tried, 0U);
}

// What disks do to sectors and bytes, by name.
class Faults {
 public:
  explicit Faults(std::uint64_t seed) : store_(seed), random_(seed) {}

  // Does one; its name.
  const char* act();

  DamagedStore& store() { return store_; }

 private:
  std::span<std::byte> bytes() { return store_.segment(1); }
  std::size_t any_byte() { return random_() % kBytes; }
  std::span<std::byte> any_sector(std::uint32_t segment = 1) {
    return store_.segment(segment).subspan(random_() % (kBytes / kSector) * kSector, kSector);
  }
  void flip() { bytes()[any_byte()] ^= static_cast<std::byte>(1U << (random_() % 8)); }

  void two_bits() {
    flip();
    flip();
  }
  void a_byte() { bytes()[any_byte()] = static_cast<std::byte>(random_()); }
  void zero_word() { std::ranges::fill(bytes().subspan(any_byte() / 8 * 8, 8), std::byte{}); }
  void zero_sector() { std::ranges::fill(any_sector(), std::byte{}); }
  void garbage() {
    for (auto& byte : any_sector()) byte = static_cast<std::byte>(random_());
  }
  void swap() { std::ranges::swap_ranges(any_sector(), any_sector()); }
  // At the place where it belongs in its own segment, or anywhere.
  void misdirect() {
    const auto at = random_() % (kBytes / kSector) * kSector;
    const auto from = random_() % 2 == 0 ? store_.segment(2).subspan(at, kSector) : any_sector(2);
    std::ranges::copy(from, bytes().begin() + static_cast<std::ptrdiff_t>(at));
  }
  void shift() {
    const auto at = random_() % (kBytes / kSector - 1) * kSector;
    std::ranges::copy(bytes().subspan(at, kSector),
                      bytes().begin() + static_cast<std::ptrdiff_t>(at + kSector));
  }
  // Writes that the disk acknowledged and lost.
  void lose() {
    const auto& earlier = store_.earlier()[random_() % store_.earlier().size()];
    const auto sectors = 1 + random_() % 4;
    const auto at = random_() % (kBytes / kSector - sectors) * kSector;
    std::ranges::copy(std::span(earlier).subspan(at, sectors * kSector),
                      bytes().begin() + static_cast<std::ptrdiff_t>(at));
  }
  void duplicate() {
    const auto size = (1 + random_() % 8) * kSector;
    const auto at = random_() % (kBytes / kSector - 16) * kSector;
    std::ranges::copy(bytes().subspan(at, size),
                      bytes().begin() + static_cast<std::ptrdiff_t>(at + size));
  }

  DamagedStore store_;
  std::mt19937_64 random_;
};

const char* Faults::act() {
  static constexpr struct {
    const char* name;
    void (Faults::*act)();
  } kAll[] = {{"two bits", &Faults::two_bits},
              {"a byte", &Faults::a_byte},
              {"eight bytes of zeros", &Faults::zero_word},
              {"a sector of zeros", &Faults::zero_sector},
              {"a sector of garbage", &Faults::garbage},
              {"two sectors in each other's place", &Faults::swap},
              {"a sector of another segment", &Faults::misdirect},
              {"a sector written one too far", &Faults::shift},
              {"sectors as they were earlier", &Faults::lose},
              {"an end written twice", &Faults::duplicate}};
  const auto& fault = kAll[random_() % std::size(kAll)];
  (this->*fault.act)();
  return fault.name;
}

TEST(Corruption, ByTheFaultsOfDisksIsFoundAndNeverServed) {
  const auto seed = fixtures::seed();
  SCOPED_TRACE("ESDB_SEED=" + std::to_string(seed));
  Faults faults(seed);
  auto& store = faults.store();
  const std::vector<std::byte> whole(store.segment(1).begin(), store.segment(1).end());
  Sum sum;
  for (std::size_t i = 0; i < fixtures::scaled(4'000); ++i) {
    const auto* fault = faults.act();
    if (std::ranges::equal(store.segment(1), whole)) continue;
    // A witness in the other one's place is a sound witness: it says what was true.
    const auto is_same = [&](std::size_t begin, std::size_t end) {
      return std::ranges::equal(store.segment(1).subspan(begin, end - begin),
                                std::span(whole).subspan(begin, end - begin));
    };
    const bool concerns_more = !is_same(0, kSector) || !is_same(3 * kSector, kBytes);
    Seen seen;
    ASSERT_EQ(store.look(1, seen), "") << fault << ", case " << i;
    ASSERT_TRUE(seen.detected || !concerns_more) << fault << ", case " << i;
    if (i % 16 == 0) {
      ASSERT_EQ(store.look_at_mended(1), "") << fault << ", case " << i;
    }
    store.restore(1);
    sum.add(seen);
  }
  sum.tell("faults of disks");
}

}  // namespace
}  // namespace esdb::corruption
