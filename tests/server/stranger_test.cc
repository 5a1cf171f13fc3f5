// Peers that do not behave: each is closed with the reason in the log, and the server goes on.
#include <gtest/gtest.h>

#include <iostream>
#include <memory>
#include <random>
#include <string>

#include "client/remote_store.h"
#include "tests/fixtures/reference_store.h"
#include "tests/fixtures/scratch_directory.h"
#include "tests/fixtures/test_run.h"
#include "tests/server/raw_peer.h"
#include "tests/server/running_server.h"

namespace esdb::tests {
namespace {

using namespace std::chrono_literals;

class Stranger : public testing::Test {
 protected:
  Stranger()
      : store_(fixtures::make_reference_store(OpenOptions{.drive = Drive::kCaller})),
        server_(*store_, {"unix:" + path()}, {.hello_time = 2s, .message_time = 300ms}) {}
  // Whatever a stranger did, others are served.
  ~Stranger() override {
    const auto store = client::open_remote(client::parse_address(server_.url()).value(), {});
    EXPECT_TRUE(store) << store.error().message;
    if (store) {
      EXPECT_TRUE((*store)->append("s", {.type = "T"}));
    }
  }
  std::string path() const { return scratch_.path() + "/s"; }

  fixtures::ScratchDirectory scratch_;
  std::unique_ptr<EventStore> store_;
  RunningServer server_;
};

TEST_F(Stranger, AnHttp2ClientIsClosedAndTheLogNamesEventStoreDb) {
  RawPeer peer(path());
  peer.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_TRUE(peer.is_closed_within(10s));
  EXPECT_TRUE(server_.log_holds("EventStoreDB"));
}

TEST_F(Stranger, AnHttpClientIsClosed) {
  RawPeer peer(path());
  peer.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(peer.is_closed_within(10s));
  EXPECT_TRUE(server_.log_holds("HTTP"));
}

TEST_F(Stranger, ATlsClientIsClosed) {
  RawPeer peer(path());
  peer.send(std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  EXPECT_TRUE(peer.is_closed_within(10s));
  EXPECT_TRUE(server_.log_holds("TLS"));
}

TEST_F(Stranger, ASegmentCountThatWrapsToNothingIsRefused) {
  RawPeer peer(path());
  peer.send_words({0xffffffff, 0, 0, 0});
  EXPECT_TRUE(peer.is_closed_within(10s));
}

TEST_F(Stranger, AHeaderThatAnnouncesMoreThanTheLimitIsRefused) {
  for (const std::uint32_t words : {0xffffffffu, 0x80000000u, 64u * 1024 / 8 + 1}) {
    RawPeer peer(path());
    peer.send_words({0, words});
    EXPECT_TRUE(peer.is_closed_within(10s)) << words;
  }
  RawPeer many(path());
  std::vector<std::uint32_t> table(512, 0xffffffff);
  table[0] = 510;
  many.send_words(table);
  EXPECT_TRUE(many.is_closed_within(10s));
  EXPECT_TRUE(server_.log_holds("at most"));
}

TEST_F(Stranger, WhoSaysNothingIsClosedAfterAWhile) {
  RawPeer peer(path());
  EXPECT_TRUE(peer.is_closed_within(10s));
  EXPECT_TRUE(server_.log_holds("did not say hello"));
}

TEST_F(Stranger, WhoStallsWithinAMessageIsClosed) {
  RawPeer peer(path());
  peer.send_words({0, 100, 1, 2, 3});
  EXPECT_TRUE(peer.is_closed_within(10s));
  EXPECT_TRUE(server_.log_holds("stalled within a message"));
}

TEST_F(Stranger, RandomBytesCloseOnlyTheirOwnConnection) {
  const auto seed = fixtures::seed();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  for (int i = 0; i < 100; ++i) {
    RawPeer peer(path());
    ASSERT_TRUE(peer.is_connected());
    // A header that is believed, so that the bytes reach Cap'n Proto.
    const auto words = static_cast<std::uint32_t>(1 + random() % 32);
    peer.send_words({0, words});
    std::vector<std::uint32_t> message(words * 2);
    for (auto& half : message)
      half = static_cast<std::uint32_t>(random() % 4 == 0 ? random() : random() % 16);
    peer.send_words(message);
  }
}

}  // namespace
}  // namespace esdb::tests
