#include "esdb/append.h"

#include <gtest/gtest.h>

namespace esdb {
namespace {

TEST(Expect, ExactlyZeroIsNone) {
  EXPECT_EQ(Expect::exactly(0).kind(), Expect::Kind::kNone);
  EXPECT_EQ(Expect::exactly(1).kind(), Expect::Kind::kExactly);
}

TEST(Check, HoldsWhatItWasMadeOf) {
  const auto on_stream = Check::stream("s", Expect::exactly(3));
  EXPECT_EQ(on_stream.kind, Check::Kind::kStream);
  EXPECT_EQ(on_stream.name, "s");
  EXPECT_EQ(on_stream.expect.version(), Version{3});
  const auto unchanged = Check::unchanged(category("c"), 7);
  EXPECT_EQ(unchanged.kind, Check::Kind::kUnchanged);
  EXPECT_EQ(to_string(unchanged.query), "category:c");
  EXPECT_EQ(unchanged.after, Position{7});
  EXPECT_EQ(Check::absent(everything()).kind, Check::Kind::kAbsent);
}

TEST(Appended, ItsVersionIsThatOfTheStreamNamedLast) {
  EXPECT_EQ(Appended{}.version(), Version{});
  EXPECT_EQ((Appended{.streams = {{"a", 3}, {"b", 9}}}.version()), Version{9});
}

}  // namespace
}  // namespace esdb
