#include "storage/generation.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace esdb::storage {
namespace {

IndexedEvent event_at(std::uint64_t position, std::uint64_t version, std::string_view stream,
                      std::span<const TermRef> tags = {}) {
  return {.position = position,
          .version = version,
          .stream = term(TermClass::kStream, stream),
          .category = term(TermClass::kCategory, "c"),
          .type = term(TermClass::kType, "T"),
          .tags = tags};
}

TEST(Generation, ListsATermsPositionsInOrderWhateverTheirNumber) {
  for (const std::uint64_t count : {1, 2, 3, 4, 7, 8, 15, 16, 1000, 100'000}) {
    Generation generation(FrameMark{.frame_number = 4, .last = 17}, 16);
    for (std::uint64_t i = 1; i <= count; ++i) generation.add(event_at(17 + i * 2, i, "s"));
    const TermNode* node = generation.find(term(TermClass::kStream, "s"));
    ASSERT_NE(node, nullptr);
    const TailPostings::View view = generation.view(node->postings, ~std::uint64_t{0});
    ASSERT_EQ(view.count(), count);
    for (std::uint32_t i = 0; i < count; ++i) ASSERT_EQ(view[i], (i + 1) * 2);
    EXPECT_EQ(generation.view(node->postings, 17 + count * 2 - 1).count(), count - 1);
    EXPECT_EQ(generation.view(node->postings, 17).count(), 0);
  }
}

TEST(Generation, FindsEveryTermAfterItsTableHasGrown) {
  Generation generation(FrameMark{}, 16);
  for (std::uint64_t i = 1; i <= 5000; ++i)
    generation.add(event_at(i, 1, "s-" + std::to_string(i)));
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    const auto name = "s-" + std::to_string(i);
    const TermNode* node = generation.find(term(TermClass::kStream, name));
    ASSERT_NE(node, nullptr) << name;
    EXPECT_EQ(node->text(), name);
  }
  EXPECT_EQ(generation.find(term(TermClass::kStream, "s-5001")), nullptr);
  EXPECT_EQ(generation.find(term(TermClass::kTag, "s-1")), nullptr) << "another kind";
  EXPECT_EQ(generation.term_count(), 5002);
}

TEST(Generation, KnowsTheSystemsEventsByStreamAndCategoryOnly) {
  Generation generation(FrameMark{}, 16);
  const TermRef tags[] = {term(TermClass::kTag, "g")};
  generation.add(event_at(1, 1, "$sys-1", tags));
  EXPECT_NE(generation.find(term(TermClass::kStream, "$sys-1")), nullptr);
  EXPECT_EQ(generation.find(term(TermClass::kType, "T")), nullptr);
  EXPECT_EQ(generation.find(tags[0]), nullptr);
  EXPECT_EQ(generation.system_events().count(), 1);
  EXPECT_EQ(generation.new_streams().count(), 0);
}

TEST(Generation, SortsItsTermsByKindAndText) {
  Generation generation(FrameMark{}, 16);
  generation.add(event_at(1, 1, "b"));
  EXPECT_EQ(generation.sorted_terms()->size(), 3);
  generation.add(event_at(2, 1, "a"));
  generation.add(event_at(3, 1, "c"));
  const auto sorted = generation.sorted_terms();
  std::string all;
  for (const TermNode* node : *sorted)
    all.append(1, static_cast<char>(node->kind)).append(node->text());
  EXPECT_EQ(all, "ccsasbsctT");
}

TEST(Generation, PublishesTrackingWhenItsFrameEnds) {
  Generation generation(FrameMark{}, 16);
  generation.add_tracking("source", 5);
  generation.add_tracking("source", 7);
  EXPECT_EQ(generation.newest_tracked("source"), 7);
  EXPECT_EQ(generation.find_source("source")->up_to(1), std::nullopt);
  generation.end_frame({.frame_number = 1});
  EXPECT_EQ(generation.find_source("source")->up_to(1), 7);
  generation.add_tracking("source", 8);
  generation.end_frame({.frame_number = 3});
  EXPECT_EQ(generation.find_source("source")->up_to(2), 7);
  EXPECT_EQ(generation.find_source("source")->up_to(3), 8);
  EXPECT_EQ(generation.find_source("another"), nullptr);
}

}  // namespace
}  // namespace esdb::storage
