// A byte of acknowledged data that changes on the disk: nothing is served in its place, nothing is
// written over it, and it is said where it lies.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "esdb/event_store.h"
#include "tests/end_to_end/event_lines.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

constexpr int kEvents = 3000;  // of a kilobyte: several segments of one megabyte

std::string mark_of(int number) { return "<" + std::to_string(number) + ">"; }

class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto store = open(directory(), {.memory = kMemoryMin,
                                          .segment_bytes = kSegmentBytesMin,
                                          .event_bytes_max = kSegmentBytesMin / 4,
                                          .append_bytes_max = kSegmentBytesMin / 4});
    ASSERT_TRUE(store.has_value()) << store.error().message;
    for (int first = 1; first <= kEvents; first += 100) {
      AppendRequest request;
      for (int number = first; number < first + 100; ++number)
        request.events.push_back({.stream = "s-" + std::to_string(number % 10),
                                  .type = "T",
                                  .data = "\"" + mark_of(number) + std::string(1000, 'x') + "\""});
      ASSERT_TRUE((*store)->append(request).has_value());
    }
  }

  std::string directory() const { return scratch_.path("data"); }
  std::string segment(int number) const {
    return directory() + "/log/0000000" + std::to_string(number) + ".seg";
  }
  // The segment that holds an event; 0: none does.
  int segment_of(int event) const {
    for (int number = 1; number < 10; ++number)
      if (fixtures::read_file(segment(number)).find(mark_of(event)) != std::string::npos)
        return number;
    return 0;
  }
  // Changes a byte in the middle of an event's data; where it lies.
  std::size_t damage(int event) const {
    const auto path = segment(segment_of(event));
    const auto at = fixtures::read_file(path).find(mark_of(event)) + 500;
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at)).put('y');
    return at;
  }

  const fixtures::ScratchDirectory scratch_{};
};

TEST_F(Damage, InTheOpenSegmentIsRefusedByEveryoneAndLeftAsItIs) {
  const int event = kEvents - 150;
  const int open_segment = segment_of(kEvents);
  ASSERT_NE(open_segment, 0);
  ASSERT_EQ(segment_of(event), open_segment);
  damage(event);
  const auto before = fixtures::read_file(segment(open_segment));
  const auto name = "0000000" + std::to_string(open_segment) + ".seg";
  const std::vector<Outcome> outcomes = {
      run_esctl({"stats", "--store", directory()}),
      run_esctl({"append", "a-1", "--type", "T", "--store", directory()}),
      run({.words = {ESDB_SERVER, "--data", directory(), "--listen",
                     "unix:" + scratch_.path("s.sock")}}),
  };
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome.ended, Ended{.code = 65}) << outcome.err;
    EXPECT_NE(outcome.err.find(name), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(fixtures::read_file(segment(open_segment)), before) << "someone wrote over it";
  const auto verified = run_esctl({"verify", directory()});
  EXPECT_EQ(verified.ended, Ended{.code = 65}) << verified.err;
  EXPECT_NE(verified.out.find(name), std::string::npos) << verified.out;
}

TEST_F(Damage, InASealedSegmentIsAnErrorForItsReadersAndForNobodyElse) {
  const int event = 350;
  ASSERT_EQ(segment_of(event), 1);
  ServerProcess server(scratch_);
  ASSERT_TRUE(server.start()) << server.log();
  const auto sound = run_esctl({"verify", directory(), "--json"});
  EXPECT_TRUE(sound.ok()) << sound.out << sound.err;
  EXPECT_EQ(raw_value(sound.out, "open"), "true") << sound.out;
  const auto offset = damage(event);
  const auto live = run_esctl({"verify", directory()});
  EXPECT_EQ(live.ended, Ended{.code = 65}) << live.out << live.err;
  EXPECT_NE(live.out.find("00000001.seg"), std::string::npos) << live.out;
  for (const auto& store : {server.url(), server.data()}) {
    if (store == server.data()) {
      ASSERT_EQ(server.stop(), Ended{.code = 0}) << server.log();
    }
    const auto bad = run_esctl({"get", std::to_string(event), "--store", store, "--json"});
    EXPECT_EQ(bad.ended, Ended{.code = 65}) << bad.err;
    EXPECT_EQ(raw_value(bad.err, "error"), "\"corrupt\"") << bad.err;
    EXPECT_NE(bad.err.find("00000001.seg"), std::string::npos) << bad.err;
    const auto all = run_esctl({"export", "--store", store});
    EXPECT_EQ(all.ended, Ended{.code = 65}) << all.err;
    EXPECT_EQ(all.out.find(mark_of(event)), std::string::npos) << "it was given out";
    EXPECT_TRUE(run_esctl({"get", std::to_string(event + 1), "--store", store}).ok());
    const auto behind = run_esctl({"export", "--after", std::to_string(event), "--store", store});
    EXPECT_TRUE(behind.ok()) << behind.err;
    EXPECT_TRUE(run_esctl({"append", "a-1", "--type", "T", "--store", store}).ok());
  }
  const auto verified = run_esctl({"verify", directory(), "--json"});
  EXPECT_EQ(verified.ended, Ended{.code = 65}) << verified.err;
  const auto found = raw_value(verified.out, "damage");
  EXPECT_EQ(raw_value(found, "segment"), "1") << verified.out;
  EXPECT_LE(std::stoul("0" + std::string(raw_value(found, "offset"))), offset) << verified.out;
  EXPECT_LE(std::stoi("0" + std::string(raw_value(found, "first"))), event) << verified.out;
  EXPECT_GE(std::stoi("0" + std::string(raw_value(found, "last"))), event) << verified.out;
}

TEST_F(Damage, InTheOpenSegmentIsRepairedByAcceptingWhatIsLost) {
  const int event = kEvents - 150;
  ASSERT_EQ(segment_of(event), segment_of(kEvents));
  damage(event);
  const auto told = run_esctl({"repair", directory()});
  EXPECT_EQ(told.ended, Ended{.code = 65}) << told.err;
  EXPECT_EQ(run_esctl({"repair", directory(), "--accept-loss"}).ended, Ended{.code = 2});
  const auto repaired = run_esctl({"repair", directory(), "--accept-loss", "--yes", "--json"});
  ASSERT_TRUE(repaired.ok()) << repaired.err;
  ServerProcess server(scratch_);
  ASSERT_TRUE(server.start()) << server.log();
  // The frame had a hundred events.
  EXPECT_TRUE(run_esctl({"get", std::to_string(event - 100), "--store", server.url()}).ok());
  EXPECT_FALSE(run_esctl({"get", std::to_string(event), "--store", server.url()}).ok());
  EXPECT_TRUE(run_esctl({"append", "a-1", "--type", "T", "--store", server.url()}).ok());
  EXPECT_EQ(server.stop(), Ended{.code = 0}) << server.log();
  EXPECT_TRUE(run_esctl({"verify", directory()}).ok());
}

TEST_F(Damage, OfNothingIsFoundInASoundStore) {
  const auto verified = run_esctl({"verify", directory(), "--json"});
  EXPECT_TRUE(verified.ok()) << verified.out << verified.err;
  EXPECT_EQ(raw_value(verified.out, "sound"), "true");
  EXPECT_EQ(raw_value(verified.out, "events"), std::to_string(kEvents));
}

}  // namespace
}  // namespace esdb::end_to_end
