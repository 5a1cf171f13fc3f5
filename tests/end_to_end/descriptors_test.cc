// A server that has fewer descriptors than there are callers.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "esdb/event_store.h"
#include "tests/end_to_end/process.h"
#include "tests/end_to_end/server_process.h"
#include "tests/fixtures/scratch_directory.h"

namespace esdb::end_to_end {
namespace {

// Connections that say nothing; gone with it.
class Callers {
 public:
  explicit Callers(const std::string& socket) {
    address_.sun_family = AF_UNIX;
    std::strncpy(address_.sun_path, socket.c_str(), sizeof(address_.sun_path) - 1);
  }
  ~Callers() {
    for (const int fd : fds_) ::close(fd);
  }
  Callers(const Callers&) = delete;
  Callers& operator=(const Callers&) = delete;
  // Whether it got through to the server's queue.
  bool call() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    fds_.push_back(fd);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)) == 0;
  }

 private:
  sockaddr_un address_{};
  std::vector<int> fds_{};
};

TEST(Descriptors, AServerThatRanOutOfThemServesAgain) {
  constexpr int kCallers = 200;
  constexpr rlim_t kDescriptors = 64;
  const fixtures::ScratchDirectory scratch;
  ServerProcess server(scratch, {.arguments = small_server(scratch)});
  ASSERT_TRUE(server.start()) << server.log();
  ASSERT_TRUE(open(server.url()).value()->append("s", {.type = "T"}));
  const rlimit few{kDescriptors, kDescriptors};
  ASSERT_EQ(::prlimit(server.process().pid(), RLIMIT_NOFILE, &few, nullptr), 0);
  {
    Callers callers(server.socket());
    int through = 0;
    for (int i = 0; i < kCallers; ++i) through += callers.call() ? 1 : 0;
    EXPECT_GT(through, 64);
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (server.log().find("cannot be accepted") == std::string::npos &&
           std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_NE(server.log().find("cannot be accepted"), std::string::npos) << server.log();
  }
  const auto until = std::chrono::steady_clock::now() + kPatience;
  auto store = open(server.url());
  while (!store && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    store = open(server.url());
  }
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_TRUE((*store)->append("s", {.type = "T"}));
  EXPECT_EQ((*store)->stream_info("s").value().version, Version{2});
  store->reset();
  EXPECT_EQ(server.stop(), Ended{.code = 0}) << server.log();
}

}  // namespace
}  // namespace esdb::end_to_end
