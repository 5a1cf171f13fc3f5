#include "storage/index_renewal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "esdb/event_store.h"
#include "storage/embedded_store.h"
#include "storage/segment_file.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::storage {
namespace {

constexpr std::uint64_t kEvents = 3000;

// A store of some segments, closed.
class IndexRenewal : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = opened();
    ASSERT_NE(store, nullptr);
    for (std::uint64_t at = 0; at < kEvents; at += 100) {
      AppendRequest request{.tracking = {{"source", at + 1}}};
      for (std::uint64_t i = at; i < at + 100; ++i)
        request.events.push_back({.stream = "s-" + std::to_string(i % 7),
                                  .type = "T",
                                  .data = std::string(1000, 'x'),
                                  .tags = {{"n", std::to_string(i % 3)}}});
      ASSERT_TRUE(store->append(request).has_value());
    }
  }

  std::unique_ptr<EventStore> opened() {
    auto store = open_directory(
        path_, {.log = [this](std::string_view line) { said_ += std::string(line) + "\n"; },
                .memory = kMemoryMin,
                .segment_bytes = kSegmentBytesMin,
                .event_bytes_max = kSegmentBytesMin / 4,
                .append_bytes_max = kSegmentBytesMin / 4});
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  // That it answers from an index that holds everything, and which it did not have to build.
  void expect_indexed() {
    said_.clear();
    auto store = opened();
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->statistics()->indexed.value, kEvents);
    EXPECT_EQ(said_.find("index"), std::string::npos) << said_;
    EXPECT_EQ(*store->count(stream("s-3")), kEvents / 7 + 1);
    EXPECT_EQ(*store->count(tagged({{"n", "1"}})), kEvents / 3);
    EXPECT_EQ(*store->tracked("source"), kEvents - 99);
    EXPECT_EQ(store->stream_info("s-0")->version.value, kEvents / 7 + 1);
  }
  std::string data() const { return path_ + "/index/data.mdb"; }

  const fixtures::ScratchDirectory scratch_{};
  const std::string path_ = scratch_.path("data");
  std::string said_{};
};

TEST_F(IndexRenewal, BuildsTheSameIndexAgain) {
  std::vector<std::uint64_t> told;
  const auto renewed = renew_index(path_, {.progress =
                                               [&](const RenewalProgress& done) {
                                                 EXPECT_EQ(done.events_all, kEvents);
                                                 told.push_back(done.events_done);
                                               },
                                           .memory = 1});
  ASSERT_TRUE(renewed.has_value()) << renewed.error().message;
  EXPECT_EQ(renewed->events, kEvents);
  EXPECT_GT(renewed->index_bytes, 0U);
  EXPECT_GT(told.size(), 2U);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(told.back(), kEvents);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/index.new"));
  expect_indexed();
}

TEST_F(IndexRenewal, MakesTheOneThatIsLostOrIsNoIndex) {
  std::filesystem::remove_all(path_ + "/index");
  ASSERT_TRUE(renew_index(path_).has_value());
  expect_indexed();
  std::ofstream(data(), std::ios::binary) << std::string(100'000, '?');
  ASSERT_TRUE(renew_index(path_).has_value());
  expect_indexed();
}

TEST_F(IndexRenewal, OfAnEmptyStoreIsAnEmptyIndex) {
  const auto empty = scratch_.path("empty");
  open_directory(empty, {})->reset();
  const auto renewed = renew_index(empty);
  ASSERT_TRUE(renewed.has_value()) << renewed.error().message;
  EXPECT_EQ(renewed->events, 0U);
}

TEST_F(IndexRenewal, LeavesTheIndexAloneWhereTheLogIsDamaged) {
  {
    std::fstream file(path_ + "/log/00000002.seg", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(300'000).put('?');
  }
  const auto before = fixtures::read_file(data());
  const auto renewed = renew_index(path_);
  ASSERT_FALSE(renewed.has_value());
  EXPECT_EQ(renewed.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(renewed.error().message.find("00000002.seg"), std::string::npos)
      << renewed.error().message;
  EXPECT_TRUE(fixtures::read_file(data()) == before);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/index.new"));
}

TEST_F(IndexRenewal, IsRefusedWhileTheStoreIsOpenAndWhereThereIsNone) {
  const auto store = opened();
  const auto locked = renew_index(path_);
  ASSERT_FALSE(locked.has_value());
  EXPECT_EQ(locked.error().code, ErrorCode::kLocked);
  const auto none = renew_index(scratch_.path("none"));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(scratch_.path("none")));
}

TEST_F(IndexRenewal, CutShortLeavesTheIndexThatWasThere) {
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto renewed =
        renew_index(path_, {.progress = [](const RenewalProgress&) { ::_exit(7); }, .memory = 1});
    ::_exit(renewed.has_value() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 7 << 8);
  EXPECT_TRUE(std::filesystem::exists(path_ + "/index.new"));
  expect_indexed();
  EXPECT_FALSE(std::filesystem::exists(path_ + "/index.new"));
}

}  // namespace
}  // namespace esdb::storage
