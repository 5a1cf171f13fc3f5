#include "storage/term.h"

#include <gtest/gtest.h>

namespace esdb::storage {
namespace {

TEST(Term, HashesKindAndText) {
  EXPECT_EQ(term(TermClass::kTag, "a").hash, term(TermClass::kTag, "a").hash);
  EXPECT_NE(term(TermClass::kTag, "a").hash, term(TermClass::kTag, "b").hash);
  EXPECT_NE(term(TermClass::kTag, "a").hash, term(TermClass::kType, "a").hash);
}

TEST(Term, KnowsTheSystemsStreams) {
  EXPECT_TRUE(is_system("$groups"));
  EXPECT_FALSE(is_system("groups$"));
  EXPECT_FALSE(is_system(""));
}

}  // namespace
}  // namespace esdb::storage
