#include "client/link.h"

#include <gtest/gtest.h>

namespace esdb::client {
namespace {

using namespace std::chrono_literals;
constexpr auto kUnix = Address::Kind::kUnix;
constexpr auto kTcp = Address::Kind::kTcp;
constexpr double kLeast = 0, kMost = 0.999;

TEST(Pause, IsShortAfterABreakAndDoublesWithEveryFailure) {
  for (const auto kind : {kUnix, kTcp}) {
    EXPECT_EQ(pause_after(0, kind, kLeast), 5ms);
    EXPECT_LE(pause_after(0, kind, kMost), 10ms);
    EXPECT_EQ(pause_after(1, kind, kLeast), 10ms);
    EXPECT_EQ(pause_after(3, kind, kLeast), 40ms);
  }
}

TEST(Pause, EndsAtAQuarterOfASecondForAServerOnThisMachine) {
  for (const unsigned failures : {5u, 8u, 31u, 32u, 1'000'000u}) {
    EXPECT_EQ(pause_after(failures, kUnix, kLeast), 125ms);
    EXPECT_LE(pause_after(failures, kUnix, kMost), 250ms);
  }
}

TEST(Pause, EndsAtTwoSecondsForAServerElsewhere) {
  for (const unsigned failures : {8u, 31u, 32u, 1'000'000u}) {
    EXPECT_EQ(pause_after(failures, kTcp, kLeast), 1000ms);
    EXPECT_LE(pause_after(failures, kTcp, kMost), 2000ms);
  }
}

TEST(Pause, HasChanceInItSoThatManyDoNotComeBackAtOnce) {
  EXPECT_LT(pause_after(8, kTcp, 0.2), pause_after(8, kTcp, 0.8));
}

}  // namespace
}  // namespace esdb::client
