#include "storage/reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "storage/aligned_bytes.h"
#include "storage/format.h"
#include "tests/fixtures/test_run.h"
#include "tests/storage/writer_setup.h"

namespace esdb::storage {
namespace {

// A log of random events, some of its segments sealed, and what is true of it.
class Reading : public ::testing::Test {
 protected:
  explicit Reading(std::size_t appends = 900, std::size_t data_bytes_max = 6'000)
      : seed_(fixtures::seed()),
        random_(seed_),
        setup_({.segment_bytes = 1 << 20, .background_inline = true}) {
    for (std::size_t i = 0; i < appends; ++i) {
      AppendRequest append;
      for (std::size_t events = 1 + any(4); events > 0; --events)
        append.events.push_back(event(data_bytes_max));
      setup_.put("", append);
      if (any(3) != 0) setup_.writer.advance();
    }
    setup_.writer.advance();
    EXPECT_TRUE(setup_.log->read_forwards(0, head(), {.bytes = ~std::size_t{0} >> 1}, all_));
    EXPECT_EQ(all_.stored.size(), head().value);
  }

  std::uint64_t any(std::uint64_t below) { return random_() % below; }
  Position head() const { return setup_.log->durable(); }
  std::string name(const char* kind, std::uint64_t below) {
    return kind + std::to_string(any(below));
  }
  NewEvent event(std::size_t data_bytes_max) {
    // Some streams and tags are everywhere, some hardly anywhere.
    NewEvent made =
        event_of(any(4) == 0 ? "rare-" + std::to_string(any(400)) : name("often-", 5),
                 any(50) == 0 ? "Seldom" : name("Type", 4), std::string(any(data_bytes_max), 'd'));
    if (any(2) == 0) made.tags.emplace_back("color", name("", 3));
    if (any(60) == 0) made.tags.emplace_back("mark", name("", 2));
    return made;
  }
  QueryItem item() {
    QueryItem made;
    if (any(3) == 0) made.streams.push_back(any(2) == 0 ? name("often-", 5) : name("rare-", 400));
    if (any(4) == 0) made.categories.emplace_back(any(3) == 0 ? "rare" : "often");
    if (any(3) == 0) made.types.emplace_back(any(2) == 0 ? "Seldom" : name("Type", 5));
    if (any(3) == 0) made.tags.emplace_back("color", name("", 4));
    if (any(4) == 0) made.tags.emplace_back("mark", name("", 2));
    return made;
  }
  Query query() {
    Query made(item());
    while (any(3) == 0) made = std::move(made) | Query(item());
    return made;
  }
  ReadOptions options() {
    ReadOptions made;
    if (any(2) == 0) made.direction = Direction::kBackwards;
    if (any(2) == 0) made.start = Start::after(Position{any(head().value + 1)});
    if (any(4) == 0) made.limit = any(40);
    if (any(4) == 0) made.up_to = Position{any(head().value + 1)};
    if (any(5) == 0) made.since = some_time();
    if (any(5) == 0) made.until = some_time();
    return made;
  }
  Time some_time() {
    return all_.stored[any(all_.stored.size())].committed + std::chrono::nanoseconds(any(3)) -
           std::chrono::nanoseconds(1);
  }

  // What a read has to give: every event looked at, one after another.
  std::vector<std::uint64_t> expected(const Query& query, const ReadOptions& options) const {
    std::vector<std::uint64_t> found;
    const bool back = options.direction == Direction::kBackwards;
    for (std::uint64_t i = 1; i <= head().value && found.size() < options.limit; ++i) {
      const auto position = back ? head().value + 1 - i : i;
      const auto& stored = all_.stored[position - 1];
      const auto start = options.start.number;
      if (options.start.kind == Start::Kind::kPosition && start != 0 &&
          (back ? position >= start : position <= start))
        continue;
      if (options.up_to && position > options.up_to->value) continue;
      if (options.since && stored.committed < *options.since) continue;
      if (options.until && stored.committed >= *options.until) continue;
      if (query.matches(RecordedEvent(&stored))) found.push_back(position);
    }
    return found;
  }

  void expect_batch(const Batch& batch, std::size_t max_bytes) {
    std::size_t bytes = 0;
    for (const auto event : batch) {
      const auto& stored = all_.stored[event.position().value - 1];
      bytes += event.encoded().size();
      EXPECT_TRUE(std::ranges::equal(event.encoded(), stored.encoded)) << stored.position.value;
      EXPECT_EQ(event.version(), stored.version);
      EXPECT_EQ(event.committed(), stored.committed);
      EXPECT_EQ(event.id(), stored.id);
      EXPECT_EQ(event.ends_append(), stored.ends_append);
      EXPECT_EQ(event.append().value, stored.position.value - stored.ordinal);
    }
    EXPECT_TRUE(batch.size() <= 1 || bytes <= max_bytes) << bytes << " of " << max_bytes;
  }

  std::vector<std::uint64_t> given(Reader& reader, Direction direction) {
    std::vector<std::uint64_t> found;
    std::optional<Position> considered;
    for (int batches = 0; batches < 20'000; ++batches) {
      const std::size_t max_bytes = any(2) == 0 ? 1 + any(20'000) : 256 * kKiB;
      const auto batch = reader.read(setup_.sources(), max_bytes);
      if (!batch) {
        ADD_FAILURE() << batch.error().message;
        return found;
      }
      expect_batch(*batch, max_bytes);
      const auto now = batch->considered();
      const bool back = direction == Direction::kBackwards;
      for (const auto event : *batch) {
        found.push_back(event.position().value);
        EXPECT_TRUE(back ? event.position() >= now : event.position() <= now);
      }
      EXPECT_TRUE(!considered || (back ? now <= *considered : now >= *considered));
      considered = now;
      if (batch->finished()) return found;
    }
    ADD_FAILURE() << "it never finished";
    return found;
  }

  const std::uint64_t seed_;
  std::mt19937_64 random_;
  WriterSetup setup_;
  BatchMemory all_{};
};

TEST_F(Reading, GivesExactlyWhatMatchesHoweverItIsFound) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  EXPECT_GT(setup_.log->segments(), 3U);
  for (int round = 0; round < 300 && !HasFailure(); ++round) {
    const auto asked = query();
    const auto bounds = options();
    SCOPED_TRACE(to_string(asked));
    Reader reader(Reader::Kind::kRead, asked, bounds);
    EXPECT_EQ(given(reader, bounds.direction), expected(asked, bounds));
    const auto after = reader.read(setup_.sources(), 1'000);
    ASSERT_TRUE(after);
    EXPECT_TRUE(after->empty() && after->finished());
  }
}

TEST_F(Reading, ASubscriptionGoesOnWhereItStoodWhenTheLogGrows) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  std::vector<std::pair<Query, std::unique_ptr<Reader>>> readers;
  std::vector<std::vector<std::uint64_t>> found(20);
  for (int i = 0; i < 20; ++i) {
    auto asked = query();
    readers.emplace_back(
        asked, std::make_unique<Reader>(Reader::Kind::kSubscription, asked, ReadOptions{}));
  }
  for (int round = 0; round < 40; ++round) {
    const auto which = any(readers.size());
    auto& reader = *readers[which].second;
    do {
      const auto batch = reader.read(setup_.sources(), 1 + any(50'000));
      ASSERT_TRUE(batch);
      EXPECT_FALSE(batch->finished());
      for (const auto event : *batch) found[which].push_back(event.position().value);
    } while (any(4) != 0 && !reader.at_end(setup_.sources()));
    setup_.put("", {.events = {event(100), event(100)}});
    setup_.writer.advance();
  }
  all_ = {};
  ASSERT_TRUE(setup_.log->read_forwards(0, head(), {.bytes = ~std::size_t{0} >> 1}, all_));
  for (std::size_t i = 0; i < readers.size(); ++i) {
    auto& reader = *readers[i].second;
    while (!reader.at_end(setup_.sources())) {
      const auto batch = reader.read(setup_.sources(), 256 * kKiB);
      ASSERT_TRUE(batch);
      for (const auto event : *batch) found[i].push_back(event.position().value);
    }
    EXPECT_EQ(found[i], expected(readers[i].first, {})) << to_string(readers[i].first);
  }
}

TEST_F(Reading, AnErrorLeavesItWhereItStood) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    const auto asked = query();
    ReadOptions bounds;
    if (any(2) == 0) bounds.direction = Direction::kBackwards;
    SCOPED_TRACE(to_string(asked));
    Reader reader(Reader::Kind::kRead, asked, bounds);
    std::vector<std::uint64_t> found;
    for (bool finished = false; !finished;) {
      for (const auto operation : {Operation::kRead, Operation::kRingRead})
        if (any(2) == 0)
          setup_.io.add({.operation = operation, .nth = 1 + any(3), .times = 1 + any(2)});
      const auto batch = reader.read(setup_.sources(), 1 + any(200'000));
      setup_.io.clear();
      if (!batch) {
        EXPECT_EQ(batch.error().code, ErrorCode::kCorrupt) << batch.error().message;
        continue;
      }
      for (const auto event : *batch) found.push_back(event.position().value);
      finished = batch->finished();
    }
    EXPECT_EQ(found, expected(asked, bounds));
  }
}

TEST_F(Reading, WhatLiesBeforeADamagedSegmentIsGivenBeforeTheError) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  setup_.io.add({.operation = Operation::kRead, .times = 1'000'000, .path = "00000001.seg"});
  setup_.io.add({.operation = Operation::kRingRead, .times = 1'000'000, .path = "00000001.seg"});
  for (const auto& asked : {everything(), category("often"), types({"Seldom"})}) {
    Reader reader(Reader::Kind::kRead, asked, {.direction = Direction::kBackwards});
    std::vector<std::uint64_t> found;
    auto batch = reader.read(setup_.sources(), 64 << 20);
    for (; batch && !batch->finished(); batch = reader.read(setup_.sources(), 64 << 20))
      for (const auto event : *batch) found.push_back(event.position().value);
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().code, ErrorCode::kCorrupt);
    auto all = expected(asked, {.direction = Direction::kBackwards});
    ASSERT_LT(found.size(), all.size());
    const auto rest = all[found.size()];
    all.resize(found.size());
    EXPECT_EQ(found, all);
    EXPECT_FALSE(reader.read(setup_.sources(), 1)) << "the event at " << rest << " is damaged";
  }
  setup_.io.clear();
}

// Its events are sound each by itself: the checkpoint behind one just cannot name the epoch.
TEST_F(Reading, AnEventIsGivenThoughTheHeaderOfItsFrameIsDamaged) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  const auto rare = std::ranges::find_if(all_.stored, [](const auto& stored) {
    return RecordedEvent(&stored).stream().starts_with("rare-");
  });
  ASSERT_NE(rare, all_.stored.end());
  auto file = *setup_.memory.open("memory/log/00000001.seg", OpenMode::kReadWrite);
  AlignedBytes image(1 << 20);
  ASSERT_TRUE(file->read_device(0, image.bytes()));
  FrameHeader header;
  std::uint64_t holds = 0;  // the last frame that begins at or before it
  for (std::uint64_t at = 0; at + sizeof(header) <= image.bytes().size(); at += 64) {
    std::memcpy(&header, image.bytes().data() + at, sizeof(header));
    if (header.magic == kFrameMagic && header.offset == at &&
        header.first_position <= rare->position.value)
      holds = at;
  }
  ASSERT_GT(holds, 0U);
  image.bytes()[holds + offsetof(FrameHeader, checksum)] ^= std::byte{1};
  ASSERT_TRUE(file->write_durable(0, image.bytes()));
  ASSERT_FALSE(setup_.log->frame_of(rare->position));

  Reader reader(Reader::Kind::kRead, stream(std::string(RecordedEvent(&*rare).stream())),
                {.limit = 1});
  const auto batch = reader.read(setup_.sources(), 1);
  ASSERT_TRUE(batch) << batch.error().message;
  ASSERT_EQ(batch->size(), 1U);
  EXPECT_EQ(batch->considered(), rare->position);
  EXPECT_EQ(batch->checkpoint().epoch_id, "");
  EXPECT_EQ(batch->considered_time(), rare->committed);
}

TEST_F(Reading, TheVersionOfOneStreamIsThatOfTheReadsEnd) {
  const auto name = all_.stored.front().encoded.empty()
                        ? std::string()
                        : std::string(RecordedEvent(&all_.stored.front()).stream());
  Reader reader(Reader::Kind::kRead, stream(name), {});
  std::uint64_t version = 0;
  for (const auto& stored : all_.stored)
    if (RecordedEvent(&stored).stream() == name) version = stored.version.value;
  EXPECT_EQ(reader.read(setup_.sources(), 1)->version(), Version{version});
  setup_.append("later", one(name));
  for (;;) {
    const auto batch = reader.read(setup_.sources(), 100'000);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->version(), Version{version}) << "what was written later is not in it";
    if (batch->finished()) break;
  }
}

TEST_F(Reading, WhatLiesBeyondTheLogIsOfAnotherStore) {
  const auto code_of = [&](Reader::Kind kind, const ReadOptions& bounds) {
    Reader reader(kind, stream("often-1"), bounds);
    const auto batch = reader.read(setup_.sources(), 1);
    return batch ? ErrorCode{} : batch.error().code;
  };
  const Position beyond = head().value + 1;
  using enum Reader::Kind;
  EXPECT_EQ(code_of(kRead, {.start = Start::after(beyond)}), ErrorCode::kOtherStore);
  EXPECT_EQ(code_of(kSubscription, {.start = Start::after(beyond)}), ErrorCode::kOtherStore);
  EXPECT_EQ(code_of(kRead, {.up_to = beyond}), ErrorCode::kOtherStore);
  EXPECT_EQ(code_of(kRead, {.start = Start::after_version(100'000)}), ErrorCode::kOtherStore);
  Reader all(kRead, everything(), {.limit = 1});
  auto checkpoint = all.read(setup_.sources(), 1)->checkpoint();
  EXPECT_EQ(code_of(kRead, {.start = Start::after(checkpoint)}), ErrorCode{});
  checkpoint.epoch_id.front() = checkpoint.epoch_id.front() == 'a' ? 'b' : 'a';
  EXPECT_EQ(code_of(kRead, {.start = Start::after(checkpoint)}), ErrorCode::kOtherStore);
  checkpoint.store_id = "another";
  EXPECT_EQ(code_of(kRead, {.start = Start::after(checkpoint)}), ErrorCode::kOtherStore);
}

}  // namespace
}  // namespace esdb::storage
