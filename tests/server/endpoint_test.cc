#include "server/endpoint.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "tests/fixtures/scratch_directory.h"
#include "tests/server/raw_peer.h"
#include "tests/server/running_server.h"

namespace esdb::server {
namespace {

using tests::RawPeer;

Endpoint unix_at(const std::string& path) { return parse_endpoint("unix:" + path).value(); }

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// The file of a socket at which nobody listens any more, as kill -9 leaves it.
void leave_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ::close(fd);
  ASSERT_TRUE(exists(path));
}

TEST(Endpoint, IsAUnixSocketOrALoopbackAddress) {
  EXPECT_EQ(parse_endpoint("unix:/run/esdb/esdb.sock")->url(), "unix:/run/esdb/esdb.sock");
  EXPECT_EQ(parse_endpoint("tcp:127.0.0.1:3732")->url(), "esdb://127.0.0.1:3732");
  EXPECT_EQ(parse_endpoint("tcp:[::1]:3732")->url(), "esdb://[::1]:3732");
  for (const auto* wrong :
       {"", "unix:", "tcp:", "tcp:127.0.0.1", "tcp::3732", "tcp:localhost:65536",
        "tcp:localhost:-1", "tcp:localhost:", "/run/esdb.sock", "http://x:1"})
    EXPECT_EQ(parse_endpoint(wrong).error().code, ErrorCode::kInvalidArgument) << wrong;
  EXPECT_FALSE(parse_endpoint("unix:" + std::string(200, 'x')));
  EXPECT_FALSE(parse_endpoint(std::string_view("unix:/a\0b", 9)));
}

TEST(Endpoint, WhatIsReachableFromElsewhereIsRefusedWithTheReason) {
  for (const auto* open : {"tcp:0.0.0.0:0", "tcp:[::]:0", "tcp:8.8.8.8:0"}) {
    const auto refused = listen_at(parse_endpoint(open).value());
    ASSERT_FALSE(refused) << open;
    EXPECT_NE(refused.error().message.find("loopback"), std::string::npos);
  }
  EXPECT_TRUE(listen_at(parse_endpoint("tcp:127.0.0.1:0").value()));
}

TEST(Endpoint, AUnixSocketIsItsOwnersAloneAndGoesWithItsServer) {
  const fixtures::ScratchDirectory scratch;
  const auto path = scratch.path() + "/s";
  {
    const auto sockets = listen_at(unix_at(path)).value();
    struct stat found {};
    ASSERT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600u);
  }
  EXPECT_FALSE(exists(path));
}

TEST(Endpoint, ASocketThatNobodyListensAtIsReplaced) {
  const fixtures::ScratchDirectory scratch;
  const auto path = scratch.path() + "/s";
  leave_socket(path);
  const auto sockets = listen_at(unix_at(path));
  ASSERT_TRUE(sockets) << sockets.error().message;
  EXPECT_TRUE(RawPeer(path).is_connected());
}

TEST(Endpoint, ASocketInUseIsLeftAlone) {
  const fixtures::ScratchDirectory scratch;
  const auto path = scratch.path() + "/s";
  const auto first = listen_at(unix_at(path)).value();
  const auto second = listen_at(unix_at(path));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another process listens"), std::string::npos);
  EXPECT_TRUE(RawPeer(path).is_connected());
}

TEST(Endpoint, AFileThatIsNoSocketIsLeftAlone) {
  const fixtures::ScratchDirectory scratch;
  const auto path = scratch.path() + "/s";
  std::ofstream(path) << "precious";
  EXPECT_FALSE(listen_at(unix_at(path)));
  EXPECT_TRUE(exists(path));
}

TEST(Endpoint, ASocketThatWasReplacedByAnotherIsNotRemovedAtTheEnd) {
  const fixtures::ScratchDirectory scratch;
  const auto path = scratch.path() + "/s";
  {
    const auto sockets = listen_at(unix_at(path)).value();
    ::unlink(path.c_str());
    std::ofstream(path) << "somebody else's";
  }
  EXPECT_TRUE(exists(path));
}

TEST(Endpoint, AMissingDirectoryIsTold) {
  const fixtures::ScratchDirectory scratch;
  const auto refused = listen_at(unix_at(scratch.path() + "/nowhere/s"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("directory does not exist"), std::string::npos);
}

}  // namespace
}  // namespace esdb::server
