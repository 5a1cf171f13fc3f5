#include "server/admission.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace esdb::server {
namespace {

constexpr auto kStart = kj::origin<kj::TimePoint>();

class Admissions : public testing::Test {
 protected:
  explicit Admissions(Options options = {.connections_max = 4,
                                         .connections_per_peer_max = 3,
                                         .connections_unauthenticated_max = 2})
      : admission_(with_log(std::move(options), log_)) {}

  static Options with_log(Options options, std::string& log) {
    options.log = [&log](LogLevel, std::string_view line) { log.append(line).append("\n"); };
    return options;
  }
  Admission::Entry enter(const std::string& peer, kj::TimePoint now = kStart) {
    return admission_.enter(peer, now);
  }
  // One that has said who it is, or not let in.
  Admission::Entry known(const std::string& peer) {
    auto entry = enter(peer);
    if (!entry.refusal) entry.place->authenticated();
    return entry;
  }
  std::size_t lines() const {
    return static_cast<std::size_t>(std::count(log_.begin(), log_.end(), '\n'));
  }

  std::string log_;
  Admission admission_;
};

TEST_F(Admissions, AreGivenUpToTheLimitOfAllConnections) {
  std::vector<Admission::Entry> in;
  for (const auto* peer : {"a", "a", "b", "b"}) {
    in.push_back(known(peer));
    ASSERT_FALSE(in.back().refusal) << in.back().refusal->message;
  }
  const auto refused = known("c");
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->code, ErrorCode::kOverloaded);
  EXPECT_NE(refused.refusal->message.find("connections_max"), std::string::npos);
  in.pop_back();
  EXPECT_FALSE(known("c").refusal) << "there is room again";
}

TEST_F(Admissions, AreGivenUpToTheLimitOfOnePeer) {
  std::vector<Admission::Entry> in;
  for (int i = 0; i < 3; ++i) {
    in.push_back(known("a"));
    ASSERT_FALSE(in.back().refusal);
  }
  const auto refused = known("a");
  ASSERT_TRUE(refused.refusal);
  EXPECT_NE(refused.refusal->message.find("connections_per_peer_max"), std::string::npos);
  EXPECT_FALSE(known("b").refusal) << "another peer has its own";
  in.pop_back();
  EXPECT_FALSE(known("a").refusal);
}

TEST_F(Admissions, AreGivenUpToTheLimitOfThoseThatHaveNotSaidWhoTheyAre) {
  std::vector<Admission::Entry> in;
  in.push_back(enter("a"));
  in.push_back(enter("b"));
  ASSERT_FALSE(in[0].refusal || in[1].refusal);
  const auto refused = enter("c");
  ASSERT_TRUE(refused.refusal);
  EXPECT_NE(refused.refusal->message.find("connections_unauthenticated_max"), std::string::npos);
  in[0].place->authenticated();
  in[0].place->authenticated();  // twice is once
  EXPECT_FALSE(enter("c").refusal);
}

TEST_F(Admissions, TheRefusedTakeNoPlaceButThereAreOnlySoManyAtOnce) {
  const auto first = enter("a"), second = enter("b");
  std::vector<Admission::Entry> refused;
  for (std::size_t i = 0; i < Admission::kRefusalsAtOnce; ++i) {
    refused.push_back(enter("c"));
    ASSERT_TRUE(refused.back().refusal);
    EXPECT_TRUE(refused.back().place) << "it is told";
  }
  EXPECT_FALSE(enter("c").place) << "it is closed";
  refused.pop_back();
  EXPECT_TRUE(enter("c").place);
}

TEST_F(Admissions, AreRefusedWithOneLineAMinuteForEachLimit) {
  const auto first = enter("a"), second = enter("b");
  for (int i = 0; i < 10; ++i) enter("c");
  EXPECT_EQ(lines(), 1u) << log_;
  enter("c", kStart + 59 * kj::SECONDS);
  EXPECT_EQ(lines(), 1u) << log_;
  enter("c", kStart + 61 * kj::SECONDS);
  EXPECT_EQ(lines(), 2u) << log_;
  EXPECT_NE(log_.find("10 more"), std::string::npos) << log_;
}

}  // namespace
}  // namespace esdb::server
