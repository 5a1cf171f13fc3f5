#include "client/address.h"

#include <gtest/gtest.h>

namespace esdb::client {
namespace {

TEST(Address, IsASocketOrAHostWithAPort) {
  EXPECT_EQ(parse_address("unix:/run/esdb.sock")->path, "/run/esdb.sock");
  EXPECT_EQ(parse_address("unix:relative")->path, "relative");
  EXPECT_EQ(parse_address("esdb://localhost")->port, 3732);
  EXPECT_EQ(parse_address("esdb://localhost:99/")->port, 99);
  EXPECT_EQ(parse_address("esdb://[::1]:99")->host, "::1");
  EXPECT_EQ(parse_address("esdb://[::1]")->url(), "esdb://[::1]:3732");
}

TEST(Address, AWrongOneIsAnsweredWithTheAcceptedForms) {
  for (const auto* wrong :
       {"unix:", "esdb://", "esdb://:3732", "esdb://host:", "esdb://host:0", "esdb://host:65536",
        "esdb://host:12x", "esdb://::1:3732", "esdb://[::1", "esdb://[::1]x", "esdb://u@host",
        "esdb://host/path", "http://host", "host:3732"}) {
    const auto refused = parse_address(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << wrong;
    EXPECT_NE(refused.error().message.find("esdb://HOST[:PORT]"), std::string::npos) << wrong;
  }
  EXPECT_FALSE(parse_address("unix:/" + std::string(200, 'x')));
  EXPECT_FALSE(parse_address(std::string_view("unix:/a\0b", 9)));
}

TEST(Address, TlsIsNotServedYetAndSaysSo) {
  EXPECT_EQ(parse_address("esdbs://host").error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace esdb::client
