// esctl that goes on with what is written later, at a server that comes and goes.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "tests/end_to_end/process.h"
#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

// Until `text` holds `part`; false: it never did.
bool comes(const std::function<std::string()>& text, const std::string& part) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (text().find(part) == std::string::npos) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

class Following : public ::testing::Test {
 protected:
  void append(const std::string& stream) {
    const auto done = run_esctl({"append", stream, "--type", "T", "--store", server.url()});
    ASSERT_TRUE(done.ok()) << done.err;
  }

  fixtures::ScratchDirectory scratch{};
  ServerProcess server{scratch};
};

TEST_F(Following, ASubscriptionEndsWellOnCtrlC) {
  ASSERT_TRUE(server.start()) << server.log();
  append("first");
  for (const int number : {SIGINT, SIGTERM}) {
    Process subscription(esctl({"subscribe", "--all", "--json", "--store", server.url()}));
    EXPECT_TRUE(comes([&] { return subscription.out(); }, "\"first\""));
    subscription.signal(number);
    EXPECT_EQ(subscription.wait(), Ended{.code = 0}) << subscription.err();
    EXPECT_EQ(subscription.err(), "");
  }
}

TEST_F(Following, AServerThatIsAwayIsToldAndWaitedFor) {
  ASSERT_TRUE(server.start()) << server.log();
  append("first");
  Process subscription(esctl({"subscribe", "--all", "--json", "--store", server.url()}));
  EXPECT_TRUE(comes([&] { return subscription.out(); }, "\"first\""));
  server.kill();
  EXPECT_TRUE(comes([&] { return subscription.err(); }, "; waiting\n")) << subscription.err();
  ASSERT_TRUE(server.start()) << server.log();
  append("second");
  EXPECT_TRUE(comes([&] { return subscription.out(); }, "\"second\""));
  subscription.signal(SIGINT);
  EXPECT_EQ(subscription.wait(), Ended{.code = 0}) << subscription.err();
}

}  // namespace
}  // namespace esdb::end_to_end
