#include "protocol/received_batch.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "protocol/encoded_event.h"

namespace esdb::protocol {
namespace {

ReceivedBatch batch_of(const std::vector<std::uint64_t>& positions) {
  std::vector<std::byte> bytes;
  ReceivedBatch batch;
  for (const auto position : positions) {
    const auto before = bytes.size();
    encode({.id = EventId::make(), .stream = "s", .type = "T", .data = "{}"}, bytes);
    batch.places.push_back({.position = position,
                            .version = position,
                            .bytes = static_cast<std::uint32_t>(bytes.size() - before),
                            .ordinal = 1});
  }
  batch.bytes = bytes.size();
  batch.events = std::make_unique<std::uint64_t[]>(bytes.size() / 8);
  std::memcpy(batch.events.get(), bytes.data(), bytes.size());
  return batch;
}

ErrorCode code_of(const Result<esdb::Batch>& result) {
  return result ? ErrorCode{} : result.error().code;
}

TEST(ReceivedBatch, GivesItsEvents) {
  const auto batch = open(batch_of({4, 7}), Direction::kForwards, 3).value();
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ((*batch.begin()).position(), Position{4});
  EXPECT_EQ((*batch.begin()).stream(), "s");
  EXPECT_TRUE((*batch.begin()).ends_append());
}

TEST(ReceivedBatch, ThatGoesBackOrRepeatsIsCorrupt) {
  EXPECT_EQ(code_of(open(batch_of({4, 4}), Direction::kForwards, 0)), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of(open(batch_of({4, 3}), Direction::kForwards, 0)), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of(open(batch_of({4}), Direction::kForwards, 4)), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of(open(batch_of({3, 4}), Direction::kBackwards, 0)), ErrorCode::kCorrupt);
  EXPECT_EQ(code_of(open(batch_of({0}), Direction::kForwards, 0)), ErrorCode::kCorrupt);
  EXPECT_TRUE(open(batch_of({4, 3}), Direction::kBackwards, 5));
}

TEST(ReceivedBatch, WhoseBytesAreNoEventsIsCorrupt) {
  auto flipped = batch_of({1, 2});
  flipped.events[0] ^= 0xff;
  EXPECT_EQ(code_of(open(std::move(flipped), Direction::kForwards, 0)), ErrorCode::kCorrupt);
  auto cut = batch_of({1, 2});
  cut.bytes -= 8;
  EXPECT_EQ(code_of(open(std::move(cut), Direction::kForwards, 0)), ErrorCode::kCorrupt);
  auto more = batch_of({1, 2});
  more.places.pop_back();
  EXPECT_EQ(code_of(open(std::move(more), Direction::kForwards, 0)), ErrorCode::kCorrupt);
  auto odd = batch_of({1, 2});
  odd.places[0].bytes += 3;
  EXPECT_EQ(code_of(open(std::move(odd), Direction::kForwards, 0)), ErrorCode::kCorrupt);
  auto before_its_append = batch_of({1});
  before_its_append.places[0].ordinal = 2;
  EXPECT_EQ(code_of(open(std::move(before_its_append), Direction::kForwards, 0)),
            ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace esdb::protocol
