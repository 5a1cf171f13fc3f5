#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "esdb/event_store.h"
#include "tests/fixtures/reference_store.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/server/running_server.h"

namespace esdb::tests {
namespace {

using namespace std::chrono_literals;

TEST(Open, ADirectoryKeepsWhatIsWrittenToIt) {
  const fixtures::ScratchDirectory scratch;
  const auto path = scratch.path() + "/data";
  const OpenOptions small{.memory = kMemoryMin};
  ASSERT_TRUE(open(path, small).value()->append("s", {.type = "T"}));
  const auto store = open(path, small);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->stream_info("s")->version, Version{1});
}

TEST(Open, MemoryWithoutANameIsItsOpenersAlone) {
  const auto one = open("memory:").value(), other = open("memory:").value();
  ASSERT_TRUE(one->append("s", {.type = "T"}));
  EXPECT_EQ(other->stream_info("s")->version, Version{0});
}

TEST(Open, MemoryWithANameIsSharedWhileItIsOpen) {
  auto one = open("memory:shared").value();
  {
    const auto other = open("memory:shared").value();
    ASSERT_TRUE(other->append("s", {.type = "T"}));
    other->close();
    EXPECT_EQ(other->stream_info("s").error().code, ErrorCode::kClosed);
    EXPECT_EQ(other->read(everything()).next().error().code, ErrorCode::kClosed);
  }
  EXPECT_EQ(one->stream_info("s")->version, Version{1});
  EXPECT_EQ(open("memory:another").value()->stream_info("s")->version, Version{0});
  one.reset();
  EXPECT_EQ(open("memory:shared").value()->stream_info("s")->version, Version{0});
}

TEST(Open, SharedMemoryCannotBeDrivenByOneOfItsOpeners) {
  EXPECT_EQ(open("memory:shared", {.drive = Drive::kCaller}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(Open, AServerIsReachedByItsUrl) {
  const fixtures::ScratchDirectory scratch;
  const auto served = fixtures::make_reference_store(OpenOptions{.drive = Drive::kCaller});
  RunningServer server(*served, {"unix:" + scratch.path() + "/s", "tcp:127.0.0.1:0"});
  for (const auto i : {0u, 1u}) {
    const auto store = open(server.url(i));
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE((*store)->append("s", {.type = "T"}));
  }
}

TEST(Open, AServerOverAStoreInADirectoryServesIt) {
  const fixtures::ScratchDirectory scratch;
  const auto served =
      open(scratch.path() + "/data", {.drive = Drive::kCaller, .memory = kMemoryMin}).value();
  RunningServer server(*served, {"unix:" + scratch.path() + "/s"});
  const auto store = open(server.url()).value();
  auto cursor = store->subscribe(everything());
  for (std::uint64_t i = 1; i <= 300; ++i)
    ASSERT_EQ(store->append("s", {.type = "T", .data = std::string(i, 'x')})->version(),
              Version{i});
  std::uint64_t seen = 0;
  while (seen < 300)
    for (auto event : *cursor.next()) EXPECT_EQ(event.data().size(), ++seen);
  EXPECT_EQ(store->count(stream("s")).value(), 300u);
  EXPECT_EQ(store->statistics()->durable, Position{300});
  store->close();
  server.stop();
  served->close();
}

TEST(Open, AWrongUrlIsAnsweredWithTheAcceptedForms) {
  for (const auto* wrong : {"", "http://localhost:2113", "esdb://", "unix:", "tcp:127.0.0.1:3732",
                            "kurrentdb://localhost"}) {
    const auto refused = open(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << wrong;
    EXPECT_NE(refused.error().message.find("memory:"), std::string::npos) << wrong;
  }
  EXPECT_EQ(open("esdbs://localhost").error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace esdb::tests
