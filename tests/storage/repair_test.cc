// Every kind of refusal: what repair says, what it does, what is there afterwards. Each damage is
// made to a real store, which is opened and read event by event.
#include "storage/repair.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "storage/index_renewal.h"
#include "tests/storage/store_to_damage.h"

namespace esdb::storage {
namespace {

namespace fs = std::filesystem;

using Kind = RepairItem::Kind;

std::string text_of(const RepairPlan& plan) {
  std::string text;
  for (const auto& line : lines_of(plan)) text += line + "\n";
  return text;
}

class Repair : public ::testing::Test {
 protected:
  // The positions that answer `corrupt` afterwards.
  static std::set<std::uint64_t> corrupt_in(const RepairPlan& plan) {
    std::set<std::uint64_t> positions;
    for (const auto& item : plan.items)
      if (item.kind == Kind::kCorrupt && item.first)
        for (auto at = item.first.value; at <= item.last.value; ++at) positions.insert(at);
    return positions;
  }

  void expect_refused() {
    const auto refused = store_.try_open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kRefused) << refused.error().message;
  }

  RepairPlan plan() {
    const auto before = store_.state();
    const auto survey = survey_repair(store_.path);
    EXPECT_TRUE(store_.state() == before) << "looking changed something";
    EXPECT_TRUE(survey.has_value()) << survey.error().message;
    if (!survey) return {};
    EXPECT_FALSE(survey->opens);
    EXPECT_FALSE(survey->refusal.empty());
    return survey->plan;
  }

  // Repairs, and compares what is there with what was said.
  RepairPlan expect_repaired() {
    expect_refused();
    const auto said = plan();
    const auto repaired = storage::repair(store_.path);
    EXPECT_TRUE(repaired.has_value()) << repaired.error().message;
    if (!repaired) return said;
    EXPECT_EQ(text_of(repaired->survey.plan), text_of(said));
    aside_ = repaired->aside;
    const auto description = fixtures::read_file(aside_ + "/README.txt");
    EXPECT_NE(description.find(text_of(said)), std::string::npos) << description;
    expect_served(said);
    EXPECT_TRUE(survey_repair(store_.path)->opens);
    return said;
  }

  void expect_served(const RepairPlan& said) {
    auto store = store_.open();
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store_.compare(*store, said.last.value, corrupt_in(said)), "") << text_of(said);
    if (said.begins_epoch) expect_other_store(*store);
    if (said.reads_by_position_only) return;
    // What is appended next goes on behind what is left, at any stream, and is there for good.
    store_.known.resize(said.last.value);
    store_.heads.clear();
    for (const auto& event : store_.known) store_.heads[event.stream] = event.version;
    store_.write(*store, 300);
    EXPECT_EQ(store->stream_info("s-3")->version, store_.heads["s-3"]);
    if (said.begins_epoch) expect_other_store(*store);
    store.reset();
    store = store_.open();
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store_.compare(*store, said.last.value + 300, corrupt_in(said)), "");
  }
  // A reader that has seen what was cut is told so.
  void expect_other_store(EventStore& store) {
    auto cursor = store.read(everything(), {.start = Start::after(store_.last_checkpoint)});
    const auto batch = cursor.next();
    ASSERT_FALSE(batch.has_value());
    EXPECT_EQ(batch.error().code, ErrorCode::kOtherStore) << batch.error().message;
  }

  // A frame in the middle of the open segment.
  InspectedFrame middle_of_open() {
    const auto all = store_.frames(store_.open_segment());
    return all[all.size() / 2];
  }

  StoreToDamage store_{};
  std::string aside_{};
};

TEST_F(Repair, LeavesASoundStoreAlone) {
  const auto before = store_.state();
  EXPECT_TRUE(survey_repair(store_.path)->opens);
  const auto repaired = storage::repair(store_.path);
  ASSERT_TRUE(repaired.has_value()) << repaired.error().message;
  EXPECT_TRUE(repaired->survey.opens);
  EXPECT_EQ(repaired->aside, "");
  EXPECT_TRUE(store_.state() == before);
}

TEST_F(Repair, OfDamageInTheOpenSegmentCutsFromThereOn) {
  const auto open = store_.open_segment();
  const auto frame = middle_of_open();
  store_.flip(open, frame.offset + 500);
  const auto damaged = fixtures::read_file(store_.file(open));
  const auto said = expect_repaired();
  ASSERT_EQ(said.items.size(), 1U);
  const auto& item = said.items.front();
  EXPECT_EQ(item.kind, Kind::kCut);
  EXPECT_EQ(item.segment, open);
  EXPECT_EQ(item.offset, frame.offset);
  EXPECT_EQ(item.first, frame.first);
  EXPECT_EQ(item.readable, StoreToDamage::kEvents - frame.first.value + 1 - frame.event_count);
  EXPECT_EQ(item.streams.size(), 7U);
  EXPECT_TRUE(said.begins_epoch);
  EXPECT_EQ(said.last.value, frame.first.value - 1);
  EXPECT_TRUE(fixtures::read_file(aside_ + "/log/" + segment_name(open)) == damaged)
      << "the damaged bytes were not kept";
  EXPECT_FALSE(fs::exists(aside_ + "/log/" + segment_name(1))) << "what is kept is there once";
}

TEST_F(Repair, OfATruncatedOpenSegmentKeepsWhatIsLeft) {
  const auto frame = middle_of_open();
  store_.truncate(store_.open_segment(), frame.offset + 100);
  EXPECT_EQ(expect_repaired().last.value, frame.first.value - 1);
}

TEST_F(Repair, OfALostNewestSegmentGoesOnBehindTheLastSealedOne) {
  const auto open = store_.open_segment();
  const auto first = store_.frames(open).front().first;
  for (const auto& segment : store_.segments())
    if (segment.number >= open) fs::remove(store_.file(segment.number));
  const auto said = expect_repaired();
  EXPECT_EQ(said.last.value, first.value - 1);
  ASSERT_EQ(said.items.size(), 1U);
  EXPECT_EQ(said.items.front().segment, open);
}

TEST_F(Repair, OfANewestSegmentOfZerosGoesOnBehindTheLastSealedOne) {
  const auto open = store_.open_segment();
  const auto first = store_.frames(open).front().first;
  store_.zero(open, 0, kSegmentBytesMin);
  for (const auto& segment : store_.segments())
    if (segment.number > open) fs::remove(store_.file(segment.number));
  EXPECT_EQ(expect_repaired().last.value, first.value - 1);
}

TEST_F(Repair, OfAnIndexAheadOfTheLogCutsNothingMoreAndDiscardsTheIndex) {
  const auto open = store_.open_segment();
  const auto frame = middle_of_open();
  // As a device does that answered flushes and lost them: frames and witnesses alike.
  store_.zero(open, frame.offset, store_.segments()[open - 1].frames_end);
  store_.zero(open, 4096, 3 * 4096);
  const auto said = expect_repaired();
  EXPECT_EQ(said.last.value, frame.first.value - 1);
  EXPECT_TRUE(said.begins_epoch);
}

TEST_F(Repair, OfADamagedHeaderLosesNothing) {
  store_.flip(store_.open_segment(), 20);
  const auto said = expect_repaired();
  ASSERT_EQ(said.items.size(), 1U);
  EXPECT_EQ(said.items.front().kind, Kind::kHeader);
  EXPECT_FALSE(said.begins_epoch);
  EXPECT_EQ(said.last.value, StoreToDamage::kEvents);
}

TEST_F(Repair, OfAMissingSegmentServesEverythingElse) {
  const auto frames = store_.frames(2);
  fs::remove(store_.file(2));
  const auto said = expect_repaired();
  EXPECT_EQ(said.last.value, StoreToDamage::kEvents);
  EXPECT_FALSE(said.begins_epoch);
  ASSERT_EQ(said.items.size(), 1U);
  EXPECT_EQ(said.items.front().kind, Kind::kCorrupt);
  EXPECT_EQ(said.items.front().first, frames.front().first);
  EXPECT_EQ(said.items.front().last.value,
            frames.back().first.value + frames.back().event_count - 1);
}

TEST_F(Repair, OfTwoMissingSegmentsServesEverythingElse) {
  ASSERT_GT(store_.open_segment(), 3U);
  const auto lost = store_.frames(1).size() + store_.frames(2).size();
  const auto behind = store_.frames(3).front().first;
  fs::remove(store_.file(1));
  fs::remove(store_.file(2));
  const auto said = expect_repaired();
  EXPECT_EQ(corrupt_in(said).size(), behind.value - 1);
  std::uint64_t frames = 0;
  for (const auto& item : said.items) frames += item.last_frame - item.first_frame + 1;
  EXPECT_EQ(frames, lost);
}

TEST_F(Repair, OfAForeignSegmentServesEverythingElse) {
  const StoreToDamage other;
  fs::copy_file(other.file(2), store_.file(2), fs::copy_options::overwrite_existing);
  const auto said = expect_repaired();
  EXPECT_EQ(said.last.value, StoreToDamage::kEvents);
  EXPECT_TRUE(fixtures::read_file(aside_ + "/log/" + segment_name(2)) ==
              fixtures::read_file(other.file(2)));
}

TEST_F(Repair, OfASegmentCutShortKeepsWhatIsWholeOfIt) {
  const auto frames = store_.frames(2);
  const auto& middle = frames[frames.size() / 2];
  store_.truncate(2, middle.offset + 100);
  const auto said = expect_repaired();
  const auto lost = corrupt_in(said);
  EXPECT_EQ(*lost.begin(), middle.first.value);
  EXPECT_EQ(*lost.rbegin(), frames.back().first.value + frames.back().event_count - 1);
}

TEST_F(Repair, OfASegmentWithoutItsFooterKeepsWhatIsWholeOnBothSidesOfTheDamage) {
  const auto frames = store_.frames(2);
  const auto& middle = frames[frames.size() / 2];
  store_.flip(2, middle.offset + 300);
  store_.flip(2, kSegmentBytesMin - 4096);
  const auto said = expect_repaired();
  const auto lost = corrupt_in(said);
  EXPECT_EQ(lost.size(), middle.event_count);
  EXPECT_EQ(*lost.begin(), middle.first.value);
}

TEST_F(Repair, OfAStoreWithoutAnySoundHeaderSaysWhyItCannot) {
  for (const auto& segment : store_.segments()) store_.flip(segment.number, 20);
  expect_refused();
  const auto survey = survey_repair(store_.path);
  ASSERT_FALSE(survey.has_value());
  EXPECT_EQ(survey.error().code, ErrorCode::kRefused);
  EXPECT_NE(survey.error().message.find("secret"), std::string::npos) << survey.error().message;
}

TEST_F(Repair, OfAStoreWithoutItsLogSaysThatThereIsNothingLeft) {
  fs::remove_all(store_.path + "/log");
  const auto survey = survey_repair(store_.path);
  ASSERT_FALSE(survey.has_value());
  EXPECT_NE(survey.error().code, ErrorCode::kLocked);
  EXPECT_FALSE(storage::repair(store_.path).has_value());
}

TEST_F(Repair, DoesNothingToAStoreThatIsOpen) {
  const auto store = store_.open();
  EXPECT_EQ(survey_repair(store_.path).error().code, ErrorCode::kLocked);
  EXPECT_EQ(storage::repair(store_.path).error().code, ErrorCode::kLocked);
}

TEST_F(Repair, OnceMoreAfterMoreDamageKeepsBothDirectories) {
  store_.flip(store_.open_segment(), middle_of_open().offset + 500);
  expect_repaired();
  const auto first = aside_;
  store_.last_checkpoint = StoreToDamage::checkpoint_at(*store_.open(), store_.known.size());
  store_.flip(store_.open_segment(), middle_of_open().offset + 500);
  expect_repaired();
  EXPECT_NE(aside_, first);
  EXPECT_TRUE(fs::exists(first + "/README.txt"));
}

// Ends a repair before each of its steps, as power or a signal would.
class RepairCutShort : public Repair {
 protected:
  void expect_refused_or_repaired() {
    const auto said = plan();
    int steps = 0;
    for (;; ++steps) {
      const auto before = fixtures::read_file(store_.file(3));
      const auto child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        int left = steps;
        const auto done = storage::repair(store_.path, {.step = [&](std::string_view) {
                                            if (left-- == 0) ::_exit(7);
                                          }});
        ::_exit(done.has_value() ? 0 : 1);
      }
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_EQ(status, 7 << 8);
      const auto survey = survey_repair(store_.path);
      ASSERT_TRUE(survey.has_value()) << survey.error().message;
      if (survey->opens) break;
      EXPECT_EQ(text_of(survey->plan), text_of(said)) << "step " << steps;
      EXPECT_TRUE(fixtures::read_file(store_.file(3)) == before);
    }
    std::printf("repair ended before each of its first %d steps: refused, then repaired\n", steps);
    EXPECT_GE(steps, 5);
    expect_served(said);
  }
};

TEST_F(RepairCutShort, LeavesTheStoreRefusedOrCut) {
  store_.flip(store_.open_segment(), middle_of_open().offset + 500);
  expect_refused_or_repaired();
}

TEST_F(RepairCutShort, LeavesTheStoreRefusedOrWithASubstitute) {
  fs::remove(store_.file(2));
  expect_refused_or_repaired();
}

TEST_F(Repair, OfDamageInsideTheLogAndAtItsEndSaysThatPositionsAloneCanBeRead) {
  store_.flip(store_.open_segment(), middle_of_open().offset + 500);
  fs::remove(store_.file(2));
  const auto said = expect_repaired();
  EXPECT_TRUE(said.reads_by_position_only);
  EXPECT_NE(text_of(said).find("no appends"), std::string::npos);
  const auto appended = store_.open()->append("s", NewEvent{.type = "T"});
  ASSERT_FALSE(appended.has_value());
  EXPECT_EQ(appended.error().code, ErrorCode::kCorrupt) << appended.error().message;
}

TEST_F(Repair, OfDamageInsideTheLogWithoutAnIndexSaysThatPositionsAloneCanBeRead) {
  fs::remove(store_.file(2));
  fs::remove_all(store_.path + "/index");
  EXPECT_TRUE(expect_repaired().reads_by_position_only);
}

TEST_F(Repair, OfAllOfItSaysThatNothingIsKept) {
  const RepairPlan all{.items = {{.file = "00000001.seg", .first_frame = 1, .first = 1}}};
  EXPECT_NE(text_of(all).find("kept: no event"), std::string::npos) << text_of(all);
  EXPECT_EQ(text_of(all).find("positions 1 to 0"), std::string::npos) << text_of(all);
}

TEST_F(Repair, OfAMissingSegmentNeedsTheIndexThatIsThere) {
  fs::remove(store_.file(2));
  ASSERT_TRUE(storage::repair(store_.path).has_value());
  const auto rebuilt = renew_index(store_.path);
  ASSERT_FALSE(rebuilt.has_value());
  EXPECT_EQ(rebuilt.error().code, ErrorCode::kCorrupt);
  auto store = store_.open();
  EXPECT_EQ(*store->count(stream("s-3")), StoreToDamage::kEvents / 7 + 1);
}

}  // namespace
}  // namespace esdb::storage
