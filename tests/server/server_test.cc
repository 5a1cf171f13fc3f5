#include "server/server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "client/remote_store.h"
#include "tests/fixtures/reference_store.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/server/raw_peer.h"
#include "tests/server/running_server.h"

namespace esdb::tests {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<EventStore> reference() {
  return fixtures::make_reference_store(OpenOptions{.drive = Drive::kCaller});
}
Result<std::unique_ptr<EventStore>> connect(const RunningServer& server) {
  return client::open_remote(client::parse_address(server.url()).value(), {.timeout = 10s});
}

TEST(Server, IsServedAtEveryEndpointItWasGiven) {
  const fixtures::ScratchDirectory scratch;
  const auto store = reference();
  RunningServer server(*store, {"unix:" + scratch.path() + "/s", "tcp:127.0.0.1:0"});
  for (const auto i : {0u, 1u}) {
    const auto remote = client::open_remote(client::parse_address(server.url(i)).value(), {});
    ASSERT_TRUE(remote) << remote.error().message;
    EXPECT_TRUE((*remote)->append("s", {.type = "T"}));
  }
  EXPECT_EQ(connect(server).value()->statistics()->durable, Position{2});
}

TEST(Server, ThatListensOnTcpWarnsThatEveryLocalUserIsServed) {
  const fixtures::ScratchDirectory scratch;
  const auto store = reference();
  const RunningServer quiet(*store, {"unix:" + scratch.path() + "/s"});
  EXPECT_EQ(quiet.log().find("every local user"), std::string::npos);
  const RunningServer open(*store, {"tcp:127.0.0.1:0"});
  EXPECT_TRUE(
      open.log_holds("every local user can read and write the whole store at " + open.url() + " "));
}

TEST(Server, FurtherConnectionsThanAllowedAreToldSoUntilThereIsRoom) {
  const fixtures::ScratchDirectory scratch;
  const auto store = reference();
  RunningServer server(*store, {"unix:" + scratch.path() + "/s"}, {.connections_max = 3});
  {
    std::vector<std::unique_ptr<EventStore>> open;
    for (int i = 0; i < 3; ++i) open.push_back(connect(server).value());
    for (int i = 0; i < 3; ++i) {
      const auto refused = connect(server);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
      EXPECT_NE(refused.error().message.find("connections_max"), std::string::npos);
    }
    EXPECT_TRUE(server.log_holds("connections_max"));
    const auto log = server.log();
    EXPECT_EQ(log.find("connections_max"), log.rfind("connections_max")) << log;
  }
  while (server.connections() != 0) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(connect(server));
}

TEST(Server, OneUserLeavesRoomForOthers) {
  const fixtures::ScratchDirectory scratch;
  const auto store = reference();
  RunningServer server(*store, {"unix:" + scratch.path() + "/s", "tcp:127.0.0.1:0"},
                       {.connections_per_peer_max = 2});
  const auto first = connect(server).value(), second = connect(server).value();
  const auto refused = connect(server);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_NE(refused.error().message.find("connections_per_peer_max"), std::string::npos);
  const auto other = client::open_remote(client::parse_address(server.url(1)).value(), {});
  EXPECT_TRUE(other) << other.error().message;
}

TEST(Server, WhoSaysNothingTakesPlacesOnlyForAWhile) {
  const fixtures::ScratchDirectory scratch;
  const auto store = reference();
  RunningServer server(*store, {"unix:" + scratch.path() + "/s"},
                       {.connections_unauthenticated_max = 2, .hello_time = 2s});
  // Those that have said who they are do not count.
  const auto a = connect(server).value(), b = connect(server).value(), c = connect(server).value();
  const RawPeer one(scratch.path() + "/s"), other(scratch.path() + "/s");
  const auto refused = connect(server);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_NE(refused.error().message.find("connections_unauthenticated_max"), std::string::npos);
  while (server.connections() > 3) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(connect(server));
  EXPECT_TRUE(c->statistics()) << "the time is for hello alone";
}

TEST(Server, ARefusedPeerThatSaysNothingIsClosed) {
  const fixtures::ScratchDirectory scratch;
  const auto store = reference();
  RunningServer server(*store, {"unix:" + scratch.path() + "/s"},
                       {.connections_max = 1, .hello_time = 300ms});
  const auto only = connect(server).value();
  RawPeer refused(scratch.path() + "/s");
  EXPECT_TRUE(refused.is_closed_within(10s));
  EXPECT_EQ(server.log().find("did not say hello"), std::string::npos);
}

TEST(Server, GoesOnAcceptingAfterItRanOutOfDescriptors) {
  const fixtures::ScratchDirectory scratch;
  const auto store = reference();
  RunningServer server(*store, {"unix:" + scratch.path() + "/s"});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ::close(next);
  auto few = before;
  few.rlim_cur = static_cast<rlim_t>(next) + 12;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  {
    std::vector<RawPeer> peers;
    for (int i = 0; i < 12; ++i) peers.emplace_back(scratch.path() + "/s");
    EXPECT_TRUE(server.log_holds("cannot be accepted"));
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  const auto remote = connect(server);
  ASSERT_TRUE(remote) << remote.error().message;
  EXPECT_TRUE((*remote)->append("s", {.type = "T"}));
}

TEST(Server, WhenItStopsWhatWasTakenUpIsAnswered) {
  const fixtures::ScratchDirectory scratch;
  const auto store = reference();
  RunningServer server(*store, {"unix:" + scratch.path() + "/s"});
  const auto remote = connect(server).value();
  std::atomic<int> settled = 0, written = 0;
  constexpr int kAppends = 200;
  for (int i = 0; i < kAppends; ++i)
    remote->append(EncodedAppend::encode({.events = {{.stream = "s", .type = "T"}}}).value(),
                   {.timeout = 2s}, [&](Result<Appended> appended) {
                     ++settled;
                     if (appended) ++written;
                   });
  server.stop();
  remote->close();
  EXPECT_EQ(settled, kAppends);
  EXPECT_LE(static_cast<std::uint64_t>(written), store->statistics()->durable.value);
}

TEST(Server, ASlowReaderHoldsUpNobodyElse) {
  const fixtures::ScratchDirectory scratch;
  const auto store = reference();
  RunningServer server(*store, {"unix:" + scratch.path() + "/s"});
  const auto slow = connect(server).value(), quick = connect(server).value();
  const std::string big(100'000, 'x');
  for (int i = 0; i < 100; ++i) quick->append("s", {.type = "T", .data = big}).value();
  auto behind = slow->read(everything());
  ASSERT_TRUE(behind.next({.max_bytes = 1}));
  std::uint64_t seen = 0;
  quick->for_each(everything(), {}, [&](RecordedEvent) { ++seen; }).value();
  EXPECT_EQ(seen, 100u);
  seen = 1;
  for (;;) {
    const auto batch = behind.next().value();
    for (auto event : batch) EXPECT_EQ(event.position().value, ++seen);
    if (batch.finished()) break;
  }
  EXPECT_EQ(seen, 100u);
}

}  // namespace
}  // namespace esdb::tests
